//! The planner: which of a query's comparisons become arguments of a call, and what the call is likely to cost.

use rusqlite::types::Value as Sql;

use super::table::{Holds, Table};

/// Rows of a table of which nothing is known.
const ROWS: f64 = 10_000.0;
/// What a request costs, counted in rows that are looked at.
const REQUEST: f64 = 1_000.0;
/// How many rows remain of so many by an argument that filters.
const REMAIN: f64 = 100.0;

/// How a query compares a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compares {
    /// `=`, or one value of `in`.
    Equal,
    /// The limit of the query.
    Limit,
    /// The offset of the query.
    Offset,
    /// Any other way.
    Otherwise,
}

/// A comparison that SQLite offers.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    /// The column; `None` where it is about none.
    pub column: Option<usize>,
    pub compares: Compares,
    /// Whether the value is known before the table is read, in the order of tables that SQLite thinks of.
    pub is_usable: bool,
    /// Whether texts are compared byte by byte.
    pub is_exact: bool,
    /// Whether it is one of a list of values.
    pub is_in: bool,
    /// The value, where the query itself has it.
    pub constant: Option<Sql>,
}

/// How a table is read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// The table, by its place.
    pub table: usize,
    /// The params that get a value, in the order of the values.
    pub given: Vec<Given>,
    /// The comparisons that give these values, in the same order.
    pub taken: Vec<usize>,
    /// The comparisons with the limit and the offset of the query, which come behind the others.
    pub limit: Option<usize>,
    pub offset: Option<usize>,
    /// The limit with the offset, where the query itself has them.
    pub rows: Option<u64>,
    pub cost: f64,
    pub estimated_rows: i64,
}

/// A param that gets a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub param: usize,
    /// The column that the query compares.
    pub column: usize,
    pub is_in: bool,
    pub constant: Option<Sql>,
}

/// Why a table cannot be read in the order of tables that SQLite thinks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lacking {
    /// The params, and whether the query compares each with something.
    pub params: Vec<(usize, bool)>,
}

/// Plans how to read a table.
///
/// # Errors
/// The params that have no value.
pub(super) fn plan(
    table: &Table,
    place: usize,
    comparisons: &[Comparison],
    is_ordered: bool,
) -> Result<Plan, Lacking> {
    let mut given: Vec<(usize, Given)> = Vec::new();
    for (at, comparison) in comparisons.iter().enumerate() {
        let Some((column, param)) = pushes(table, comparison) else {
            continue;
        };
        if !comparison.is_usable {
            continue;
        }
        let new = Given {
            param,
            column,
            is_in: comparison.is_in,
            constant: comparison.constant.clone(),
        };
        let is_param = |column: usize| matches!(table.columns[column].holds, Holds::Param(_));
        match given.iter_mut().find(|(_, old)| old.param == param) {
            None => given.push((at, new)),
            // The param's own column says what is meant.
            Some(old) if is_param(column) && !is_param(old.1.column) => *old = (at, new),
            Some(_) => {}
        }
    }
    let lacking: Vec<(usize, bool)> = (0..table.params.len())
        .filter(|param| table.params[*param].is_needed)
        .filter(|param| given.iter().all(|(_, given)| given.param != *param))
        .map(|param| {
            let is_it = |comparison| pushes(table, comparison).is_some_and(|(_, own)| own == param);
            (param, comparisons.iter().any(is_it))
        })
        .collect();
    if !lacking.is_empty() {
        return Err(Lacking { params: lacking });
    }
    // What SQLite checks itself may leave rows out, and what it sorts it reads whole: then the limit says nothing.
    let is_all = |(at, comparison): (usize, &Comparison)| {
        matches!(comparison.compares, Compares::Limit | Compares::Offset)
            || given.iter().any(|(own, _)| *own == at)
    };
    let has_limit = !is_ordered && comparisons.iter().enumerate().all(is_all);
    let find = |compares: Compares| {
        let is_it =
            |comparison: &Comparison| comparison.compares == compares && comparison.is_usable;
        comparisons.iter().position(is_it).filter(|_| has_limit)
    };
    let limit = find(Compares::Limit);
    let offset = limit.and_then(|_| find(Compares::Offset));
    let filters = given.len() as i32;
    let rows = match table.is_list() {
        true => (ROWS / REMAIN.powi(filters)).max(1.0),
        false => 1.0,
    };
    // A value that the query itself has is one call; another may be one for each row.
    let requests = 1.0 + rows / 1_000.0;
    Ok(Plan {
        table: place,
        taken: given.iter().map(|(at, _)| *at).collect(),
        given: given.into_iter().map(|(_, given)| given).collect(),
        limit,
        offset,
        rows: rows_wanted(comparisons, limit, offset),
        cost: requests * REQUEST + rows,
        estimated_rows: rows as i64,
    })
}

/// The param that a comparison gives a value, and the column that it compares.
fn pushes(table: &Table, comparison: &Comparison) -> Option<(usize, usize)> {
    let column = comparison.column?;
    let own = table.columns.get(column)?;
    let param = own.param?;
    let is_param = matches!(own.holds, Holds::Param(_));
    // Where texts of other letters are equal, the service may know better which rows those are, or not at all.
    let is_meant = comparison.compares == Compares::Equal && (is_param || comparison.is_exact);
    is_meant.then_some((column, param))
}

fn rows_wanted(
    comparisons: &[Comparison],
    limit: Option<usize>,
    offset: Option<usize>,
) -> Option<u64> {
    let number = |at: usize| match comparisons[at].constant {
        Some(Sql::Integer(number)) => u64::try_from(number).ok(),
        _ => None,
    };
    let skipped = match offset {
        Some(at) => number(at)?,
        None => 0,
    };
    Some(number(limit?)?.saturating_add(skipped))
}

impl Plan {
    /// The plan in short, for `EXPLAIN QUERY PLAN`.
    pub(super) fn short(&self, table: &Table) -> String {
        let names = self.given.iter().map(|given| {
            let column = &table.columns[given.column].name;
            format!("{}=?", column.replace('\0', " "))
        });
        let names: Vec<String> = names.collect();
        names.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::catalog::Catalog;

    fn table(tool: &str) -> Table {
        let tool = Catalog::builtin().tool(tool).unwrap();
        Table::new(&tool).unwrap()
    }

    fn column(table: &Table, name: &str) -> Option<usize> {
        let at = table.columns.iter().position(|column| column.name == name);
        assert!(at.is_some(), "{name}");
        at
    }

    fn equal(table: &Table, name: &str) -> Comparison {
        Comparison {
            column: column(table, name),
            compares: Compares::Equal,
            is_usable: true,
            is_exact: true,
            is_in: false,
            constant: Some(Sql::Text("a".to_owned())),
        }
    }

    fn limit(number: i64) -> Comparison {
        Comparison {
            column: None,
            compares: Compares::Limit,
            constant: Some(Sql::Integer(number)),
            is_usable: true,
            is_exact: true,
            is_in: false,
        }
    }

    fn given(table: &Table, plan: &Plan) -> Vec<String> {
        let name = |given: &Given| table.params[given.param].name.clone();
        plan.given.iter().map(name).collect()
    }

    #[test]
    fn equality_becomes_an_argument() {
        let members = table("list-members");
        let other = |name: &str| Comparison {
            compares: Compares::Otherwise,
            ..equal(&members, name)
        };
        let loose = |name: &str| Comparison {
            is_exact: false,
            ..equal(&members, name)
        };
        let unusable = Comparison {
            is_usable: false,
            ..equal(&members, "email")
        };
        for (comparisons, is_ordered, expected, rows) in [
            (vec![], false, vec![], None),
            (vec![equal(&members, "email")], false, vec!["email"], None),
            (vec![loose("email")], false, vec![], None),
            (vec![loose("param_email")], false, vec!["email"], None),
            (vec![unusable], false, vec![], None),
            (vec![other("email")], false, vec![], None),
            (vec![equal(&members, "name")], false, vec![], None),
            (
                vec![equal(&members, "roles"), limit(5)],
                false,
                vec!["roles"],
                Some(5),
            ),
            (vec![equal(&members, "name"), limit(5)], false, vec![], None),
            (vec![limit(5)], false, vec![], Some(5)),
            (vec![limit(5)], true, vec![], None),
        ] {
            let plan = plan(&members, 0, &comparisons, is_ordered).unwrap();
            assert_eq!(given(&members, &plan), expected, "{comparisons:?}");
            assert_eq!(plan.rows, rows, "{comparisons:?}");
        }
    }

    #[test]
    fn the_column_of_the_param_itself_counts_more() {
        let members = table("list-members");
        let both = [equal(&members, "email"), equal(&members, "param_email")];
        let plan = plan(&members, 0, &both, false).unwrap();
        assert_eq!(plan.taken, [1]);
    }

    #[test]
    fn what_is_needed_is_named() {
        let members = table("list-workspace-members");
        assert_eq!(
            plan(&members, 0, &[], false).unwrap_err().params,
            [(0, false)]
        );
        let later = Comparison {
            is_usable: false,
            ..equal(&members, "workspace_id")
        };
        assert_eq!(
            plan(&members, 0, &[later], false).unwrap_err().params,
            [(0, true)]
        );
        let now = [equal(&members, "workspace_id")];
        let filtered = plan(&members, 0, &now, false).unwrap();
        let all = plan(&table("list-members"), 0, &[], false).unwrap();
        assert!(filtered.cost < all.cost);
    }
}
