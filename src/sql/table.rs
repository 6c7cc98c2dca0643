//! A tool as a table: its columns, which of them are params, and the size of its pages.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::format::Access;
use crate::json::{Json, Kind, Part};
use crate::project::ResponseKind;
use crate::tool::Tool;

/// The column that holds a whole row.
const ROW: &str = "row";
/// The column of rows that are no objects.
const VALUE: &str = "value";
/// What stands before the name of a param whose own name is a field of the rows.
const PARAM: &str = "param_";

/// A tool as a table.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name.
    pub name: String,
    /// The tool.
    pub tool: Arc<Tool>,
    /// The columns, those of the rows first.
    pub columns: Vec<Column>,
    /// The params, in the order of the descriptor.
    pub params: Vec<Param>,
    /// The fields of the rows that have a column; `None` if rows are no objects.
    pub fields: Option<Vec<String>>,
    /// Whether rows may have fields that have no column.
    pub is_open: bool,
    /// The size of pages, where a param sets it.
    pub size: Option<PageSize>,
}

/// A column.
#[derive(Debug)]
pub(crate) struct Column {
    pub name: String,
    pub holds: Holds,
    /// The param that takes the value of an equality with the column.
    pub param: Option<usize>,
    /// Whether `*` leaves it out.
    pub is_hidden: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A field of the row, by its place in the table's fields.
    Field(usize),
    /// The whole row: an object or a list as JSON.
    Row,
    /// What the query gave for a param.
    Param(usize),
}

/// A param.
#[derive(Debug)]
pub(crate) struct Param {
    pub name: String,
    pub schema: Value,
    /// Whether a call must give it, and it has no default.
    pub is_needed: bool,
    pub default: Option<Value>,
    /// The column that holds it.
    pub column: String,
}

/// The param that sets how many rows a page has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageSize {
    /// The param.
    pub param: usize,
    least: u64,
    most: Option<u64>,
    default: Option<u64>,
    /// The only sizes, if so, in order.
    choices: Vec<u64>,
}

impl PageSize {
    fn of(name: &str, params: &[Param]) -> Option<PageSize> {
        let param = params.iter().position(|param| param.name == name)?;
        let schema = &params[param].schema;
        let number = |key: &str| schema.get(key).and_then(Value::as_u64);
        let choices = schema.get("enum").and_then(Value::as_array);
        let mut choices: Vec<u64> = choices
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64)
            .collect();
        choices.sort_unstable();
        Some(PageSize {
            param,
            least: number("minimum").unwrap_or(1).max(1),
            most: number("maximum").or_else(|| Some(number("exclusiveMaximum")?.saturating_sub(1))),
            default: number("default"),
            choices,
        })
    }

    /// The size for so many rows, or the largest if all are wanted. `None` leaves it to the service.
    pub(crate) fn rows(&self, wanted: Option<u64>) -> Option<u64> {
        let largest = self.choices.last().copied().or(self.most);
        match wanted.map(|rows| rows.max(self.least)) {
            Some(rows) if !self.choices.is_empty() => {
                let fits = self.choices.iter().find(|choice| **choice >= rows);
                fits.copied().or(largest)
            }
            Some(rows) => match (largest, self.default) {
                (Some(most), _) => Some(rows.min(most)),
                // How large a page may be is not known, but a smaller one than usual is surely allowed.
                (None, Some(default)) => (rows < default).then_some(rows),
                (None, None) => None,
            },
            None => largest,
        }
    }
}

/// The name of a tool as a table: hyphens are underscores, so that it needs no quotes.
pub(crate) fn table_name(tool: &str) -> String {
    tool.replace('-', "_")
}

impl Table {
    /// The table of a tool.
    ///
    /// # Errors
    /// Why the tool is no table.
    pub(crate) fn new(tool: &Arc<Tool>) -> Result<Table, String> {
        if tool.access != Access::Read {
            return Err(format!(
                "it is a {} tool, and queries only read",
                tool.access
            ));
        }
        if tool.rules.kind == ResponseKind::Bytes {
            return Err("it downloads a file".to_owned());
        }
        let shape = Shape::of(tool);
        let params = params(tool);
        let mut table = Table {
            name: table_name(&tool.name),
            size: tool
                .paging
                .as_ref()
                .and_then(|paging| PageSize::of(paging.limit()?, &params)),
            tool: Arc::clone(tool),
            columns: Vec::new(),
            params,
            is_open: shape.is_open,
            fields: shape.fields,
        };
        table.add_columns(shape.has_values);
        Ok(table)
    }

    fn add_columns(&mut self, has_values: bool) {
        let mut taken = Taken::default();
        let fields = self.fields.clone().unwrap_or_default();
        for (place, field) in fields.iter().enumerate() {
            let param = self.params.iter().position(|param| param.name == *field);
            let param = param.filter(|param| self.filters(*param));
            self.columns.push(Column {
                name: taken.free(field, "_2"),
                holds: Holds::Field(place),
                param,
                is_hidden: false,
            });
        }
        let row = match has_values {
            true => VALUE,
            false => ROW,
        };
        if self.is_open || self.fields.is_none() {
            self.columns.push(Column {
                name: taken.free(row, "_"),
                holds: Holds::Row,
                param: None,
                is_hidden: !fields.is_empty(),
            });
        }
        for place in 0..self.params.len() {
            let name = match taken.has(&self.params[place].name) {
                true => format!("{PARAM}{}", self.params[place].name),
                false => self.params[place].name.clone(),
            };
            let name = taken.free(&name, "_");
            self.params[place].column.clone_from(&name);
            self.columns.push(Column {
                name,
                holds: Holds::Param(place),
                param: Some(place),
                is_hidden: true,
            });
        }
    }

    /// Whether a param of the name of a field surely takes no row away that has the value in that field. Params of pages
    /// and of times say where rows begin, and lists and objects are no values of one field.
    fn filters(&self, param: usize) -> bool {
        let Param { name, schema, .. } = &self.params[param];
        let is_of_pages = self.tool.paging.as_ref().is_some_and(|paging| {
            paging.limit() == Some(name) || paging.next_names().any(|own| own == name)
        });
        let is_time = schema
            .get("format")
            .and_then(Value::as_str)
            .is_some_and(|format| format.starts_with("date") || format == "time");
        let is_scalar = match schema.get("type") {
            Some(Value::String(kind)) => !matches!(kind.as_str(), "array" | "object" | "null"),
            Some(Value::Array(kinds)) => {
                !kinds.iter().any(|kind| kind == "array" || kind == "object")
            }
            _ => schema.get("enum").is_some() || schema.get("$ref").is_none(),
        };
        !is_of_pages && !is_time && is_scalar
    }

    /// The size of a page for so many rows, or for all, with these arguments; `None` leaves it to the service. Other
    /// arguments may make the largest size smaller.
    pub(crate) fn page_size(
        &self,
        arguments: &Map<String, Value>,
        rows: Option<u64>,
    ) -> Option<u64> {
        let size = self.size.as_ref()?;
        let name = &self.params[size.param].name;
        if arguments.contains_key(name) {
            return None;
        }
        let fits = |rows: u64| {
            let mut arguments = arguments.clone();
            arguments.insert(name.clone(), rows.into());
            self.tool.accept(arguments.into()).is_ok()
        };
        let wanted = size.rows(rows)?;
        if fits(wanted) || !fits(size.least) {
            return Some(wanted);
        }
        let (mut fitting, mut beyond) = (size.least, wanted);
        while beyond - fitting > 1 {
            let middle = fitting + (beyond - fitting) / 2;
            match fits(middle) {
                true => fitting = middle,
                false => beyond = middle,
            }
        }
        Some(fitting)
    }

    /// How SQLite is told of the columns.
    pub(crate) fn declaration(&self) -> String {
        let column = |column: &Column| {
            let name = quoted(&column.name.replace('\0', " "));
            match column.is_hidden {
                true => format!("{name} HIDDEN"),
                false => name,
            }
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        format!("CREATE TABLE x({})", columns.join(", "))
    }

    /// The columns that `*` gives.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &str> {
        let shown = self.columns.iter().filter(|column| !column.is_hidden);
        shown.map(|column| column.name.as_str())
    }

    /// The rows of an output.
    ///
    /// # Errors
    /// When the output has something else where its rows should be.
    pub(crate) fn rows<'o>(&self, output: Part<'o>) -> Result<Vec<Part<'o>>, String> {
        self.tool.projection.rows_or_one(output)
    }

    /// Whether the table has the rows of a list, and not one row.
    pub(crate) fn is_list(&self) -> bool {
        self.tool.paging.is_some()
            || self.tool.projection.rows_key().is_some()
            || self.fields.is_none()
    }
}

/// A name in double quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names that are taken: for SQLite, letter case makes no difference.
#[derive(Default)]
struct Taken(HashSet<String>);

impl Taken {
    fn has(&self, name: &str) -> bool {
        self.0.contains(&name.to_ascii_lowercase())
    }

    fn free(&mut self, name: &str, ending: &str) -> String {
        let mut name = name.to_owned();
        while !self.0.insert(name.to_ascii_lowercase()) {
            name.push_str(ending);
        }
        name
    }
}

fn params(tool: &Tool) -> Vec<Param> {
    let params = tool.params.iter().map(|param| Param {
        name: param.name.to_owned(),
        schema: param.schema.clone(),
        is_needed: param.required && param.default().is_none(),
        default: param.default().cloned(),
        column: String::new(),
    });
    params.collect()
}

/// What is known of the rows before any is read.
struct Shape {
    fields: Option<Vec<String>>,
    is_open: bool,
    has_values: bool,
}

impl Shape {
    fn of(tool: &Tool) -> Shape {
        let projection = &tool.projection;
        if let Some(fields) = projection.columns() {
            return Shape {
                fields: Some(fields),
                is_open: false,
                has_values: false,
            };
        }
        // The schema is what the author promises; the outline is what the projection cannot but give.
        let outline = projection.outline();
        let schemas = [tool.output_schema.as_ref(), outline.as_ref()];
        let (mut fields, mut has_values) = (Vec::new(), false);
        let mut is_open = true;
        for schema in schemas.into_iter().flatten() {
            let Some(row) = row_schema(schema, projection.rows_key()) else {
                continue;
            };
            has_values |= row
                .get("type")
                .and_then(Value::as_str)
                .is_some_and(|kind| !matches!(kind, "object" | "array"));
            let members = row.get("properties").and_then(Value::as_object);
            for name in members.into_iter().flat_map(Map::keys) {
                if !fields.contains(name) {
                    fields.push(name.clone());
                }
            }
        }
        // A map of the projection has the members that it names, and no others.
        if projection.rows_key().is_none()
            && outline
                .as_ref()
                .is_some_and(|outline| outline.get("type").is_some_and(|kind| kind == "object"))
        {
            is_open = false;
        }
        // At least what the examples have has a name.
        if fields.is_empty() && !has_values {
            fields = example_fields(tool);
            is_open |= !fields.is_empty();
        }
        Shape {
            is_open: is_open || fields.is_empty(),
            fields: (!fields.is_empty()).then_some(fields),
            has_values,
        }
    }
}

/// The fields of the rows in the outputs of the tool's examples.
fn example_fields(tool: &Tool) -> Vec<String> {
    let mut fields = Vec::new();
    for output in tool
        .examples
        .iter()
        .filter_map(|example| example.output.as_ref())
    {
        let rows = match tool.projection.rows_key() {
            Some(key) => output.get(key),
            None => Some(output),
        };
        let rows = match rows {
            Some(Value::Array(rows)) => rows.as_slice(),
            Some(row) => std::slice::from_ref(row),
            None => &[],
        };
        for name in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
            if !fields.contains(name) {
                fields.push(name.clone());
            }
        }
    }
    fields
}

/// The schema of one row.
fn row_schema<'s>(root: &'s Value, rows: Option<&str>) -> Option<&'s Value> {
    let resolved = |schema: &'s Value| {
        let mut schema = schema;
        // A cycle of references leads nowhere.
        for _ in 0..8 {
            match schema.get("$ref").and_then(Value::as_str) {
                Some(to) => schema = root.pointer(to.strip_prefix('#')?)?,
                None => return Some(schema),
            }
        }
        None
    };
    let mut schema = resolved(root)?;
    if let Some(rows) = rows {
        schema = resolved(schema.get("properties")?.get(rows)?)?;
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => resolved(schema.get("items")?),
        _ => Some(schema),
    }
}

/// The rows of one page.
#[derive(Debug)]
pub(super) struct Page {
    output: Json,
    /// Where each row is in the text of the output.
    rows: Vec<(usize, usize)>,
}

impl Page {
    /// The rows of an output.
    ///
    /// # Errors
    /// As [`Table::rows`].
    pub(super) fn new(table: &Table, output: Json) -> Result<Page, String> {
        let whole = output.part();
        let start = whole.text().as_ptr() as usize;
        let place = |row: &Part<'_>| {
            let at = row.text().as_ptr() as usize - start;
            (at, at + row.text().len())
        };
        let rows = table.rows(whole)?.iter().map(place).collect();
        Ok(Page { output, rows })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.output.bytes().len() + self.rows.len() * size_of::<(usize, usize)>()
    }

    pub(super) fn row(&self, at: usize) -> Option<Part<'_>> {
        let (start, end) = *self.rows.get(at)?;
        Some(Part::between(self.output.bytes(), start, end))
    }
}

/// The fields of a row: where each is, counted from the row's beginning, and a field that has no column.
pub(super) fn fields(
    table: &Table,
    row: Part<'_>,
    places: &mut Vec<Option<(usize, usize)>>,
) -> Option<String> {
    let fields = table.fields.as_deref().unwrap_or_default();
    places.clear();
    places.resize(fields.len(), None);
    if row.kind() != Kind::Object {
        return None;
    }
    let start = row.text().as_ptr() as usize;
    let mut unknown = None;
    // Rows mostly have the fields in their order.
    let mut expected = 0;
    for (key, part) in row.members() {
        let place = match fields.get(expected) {
            Some(field) if key.is(field) => Some(expected),
            _ => fields.iter().position(|field| key.is(field)),
        };
        match place {
            Some(place) => {
                let at = part.text().as_ptr() as usize - start;
                places[place] = Some((at, at + part.text().len()));
                expected = place + 1;
            }
            None if table.is_open && unknown.is_none() => unknown = Some(key.name().into_owned()),
            None => {}
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::catalog::Catalog;

    fn table(tool: &str) -> Table {
        let tool = Catalog::builtin().tool(tool).unwrap();
        Table::new(&tool).unwrap()
    }

    #[test]
    fn columns_are_fields_and_hidden_params() {
        for (tool, declaration) in [
            (
                "list-workspace-members",
                "CREATE TABLE x(\"user_id\", \"workspace_id\", \"workspace_role\", \"param_workspace_id\" HIDDEN, \
                 \"limit\" HIDDEN, \"after_id\" HIDDEN, \"before_id\" HIDDEN)",
            ),
            (
                "list-members",
                "CREATE TABLE x(\"id\", \"email\", \"name\", \"role\", \"added_at\", \"param_email\" HIDDEN, \
                 \"roles\" HIDDEN, \"limit\" HIDDEN, \"after_id\" HIDDEN, \"before_id\" HIDDEN)",
            ),
        ] {
            assert_eq!(table(tool).declaration(), declaration);
        }
        let members = table("list-workspace-members");
        let pushed: Vec<&str> = members
            .columns
            .iter()
            .filter(|column| column.param.is_some())
            .map(|column| column.name.as_str())
            .collect();
        assert_eq!(
            pushed,
            [
                "workspace_id",
                "param_workspace_id",
                "limit",
                "after_id",
                "before_id"
            ]
        );
    }

    #[test]
    fn every_built_in_tool_that_reads_is_a_table() {
        let (mut count, mut without) = (0, Vec::new());
        for (entry, tool) in Catalog::builtin().load_all() {
            let tool = tool.unwrap();
            match Table::new(&tool) {
                Ok(table) => {
                    count += 1;
                    if table.fields.is_none() {
                        without.push(entry.name);
                    }
                }
                Err(reason) => assert!(
                    tool.access != Access::Read || reason.contains("downloads"),
                    "{reason}"
                ),
            }
        }
        assert!(count > 60, "{count} tables");
        assert_eq!(without, Vec::<String>::new());
    }

    #[test]
    fn pages_are_as_large_as_the_other_arguments_allow() {
        let usage = table("get-usage");
        for (width, wanted, rows) in [
            (json!({}), None, 31),
            (json!({ "bucket_width": "1h" }), None, 168),
            (json!({ "bucket_width": "1m" }), None, 1440),
            (json!({}), Some(5), 5),
            (json!({}), Some(50), 31),
        ] {
            let mut arguments = width.as_object().unwrap().clone();
            arguments.insert("starting_at".to_owned(), "2026-11-01T00:00:00Z".into());
            assert_eq!(usage.page_size(&arguments, wanted), Some(rows), "{width}");
            arguments.insert("limit".to_owned(), 7.into());
            assert_eq!(usage.page_size(&arguments, wanted), None);
        }
    }

    #[test]
    fn pages_are_as_large_as_wanted() {
        let size = |schema: Value| {
            let param = Param {
                name: "limit".to_owned(),
                schema,
                is_needed: false,
                default: None,
                column: "limit".to_owned(),
            };
            PageSize::of("limit", &[param]).unwrap()
        };
        let full = || json!({ "minimum": 1, "maximum": 100, "default": 20 });
        for (schema, wanted, rows) in [
            (full(), None, Some(100)),
            (full(), Some(5), Some(5)),
            (full(), Some(500), Some(100)),
            (full(), Some(0), Some(1)),
            (json!({ "minimum": 10, "maximum": 50 }), Some(5), Some(10)),
            (json!({ "exclusiveMaximum": 50 }), None, Some(49)),
            (json!({ "default": 20 }), None, None),
            (json!({ "default": 20 }), Some(5), Some(5)),
            (json!({ "default": 20 }), Some(50), None),
            (json!({}), Some(5), None),
            (json!({ "enum": [50, 10, 25] }), Some(11), Some(25)),
            (json!({ "enum": [50, 10, 25] }), Some(99), Some(50)),
            (json!({ "enum": [50, 10, 25] }), None, Some(50)),
        ] {
            assert_eq!(
                size(schema.clone()).rows(wanted),
                rows,
                "{schema} {wanted:?}"
            );
        }
    }
}
