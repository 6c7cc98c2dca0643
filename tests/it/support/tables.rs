//! Where `toolrun sync` writes, read back by other programs than the one under test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// A place for tables.
pub(crate) struct Place {
    pub kind: &'static str,
    /// What `--into` takes.
    pub into: String,
    path: PathBuf,
    #[cfg(unix)]
    database: Option<String>,
}

/// A row: each column's value, as JSON.
pub(crate) type Row = Map<String, Value>;

impl Place {
    /// Each kind of place that this build knows, below a folder.
    pub(crate) fn all(folder: &Path) -> Vec<Place> {
        let mut kinds = vec!["sqlite", "ndjson", "csv"];
        if cfg!(feature = "parquet") {
            kinds.push("parquet");
        }
        let mut places: Vec<Place> = kinds
            .into_iter()
            .map(|kind| Place::new(kind, folder))
            .collect();
        places.extend(Place::postgres());
        places
    }

    pub(crate) fn new(kind: &'static str, folder: &Path) -> Place {
        let path = match kind {
            "sqlite" => folder.join("rows.db"),
            _ => folder.join(format!("{kind}-files")),
        };
        Place {
            kind,
            into: format!("{kind}:{}", path.display()),
            path,
            #[cfg(unix)]
            database: None,
        }
    }

    /// A fresh database of Postgres, if this build and this machine have it.
    pub(crate) fn postgres() -> Option<Place> {
        #[cfg(all(unix, feature = "postgres"))]
        {
            let (name, url) = super::postgres()?.database();
            Some(Place {
                kind: "postgres",
                into: url,
                path: PathBuf::new(),
                database: Some(name),
            })
        }
        #[cfg(not(all(unix, feature = "postgres")))]
        None
    }

    /// Whether values have types there.
    pub(crate) fn has_types(&self) -> bool {
        self.kind != "csv"
    }

    /// The rows of a table in their order, without our own columns; `None` if there is no such table.
    pub(crate) fn rows(&self, table: &str) -> Option<Vec<Row>> {
        let file = |ending: &str| {
            let path = self.path.join(format!("{table}.{ending}"));
            path.exists().then_some(path)
        };
        let mut rows: Vec<Row> = match self.kind {
            "sqlite" => self.sqlite(table)?,
            "ndjson" => {
                let text = std::fs::read_to_string(file("ndjson")?).expect("a file");
                text.lines()
                    .map(|line| serde_json::from_str(line).expect("a JSON object"))
                    .collect()
            }
            "csv" => {
                let mut reader = ::csv::Reader::from_path(file("csv")?).expect("a file");
                let names = reader.headers().expect("names").clone();
                reader
                    .records()
                    .map(|record| {
                        let record = record.expect("a record");
                        let pairs = names.iter().zip(record.iter());
                        pairs
                            .map(|(name, text)| (name.to_owned(), json!(text)))
                            .collect()
                    })
                    .collect()
            }
            #[cfg(feature = "parquet")]
            "parquet" => parquet(&file("parquet")?),
            #[cfg(unix)]
            "postgres" => self.psql(table)?,
            other => panic!("{other}"),
        };
        for row in &mut rows {
            row.remove("_toolrun_key");
        }
        Some(rows)
    }

    /// Each row's value of a column, by its value of another, as texts.
    #[track_caller]
    pub(crate) fn by(&self, table: &str, key: &str, column: &str) -> BTreeMap<String, String> {
        let rows = self.rows(table).expect("a table");
        let count = rows.len();
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let found: BTreeMap<String, String> = rows
            .iter()
            .map(|row| (text(&row[key]), text(&row[column])))
            .collect();
        assert_eq!(found.len(), count, "{}: rows of one {key}", self.kind);
        found
    }

    fn sqlite(&self, table: &str) -> Option<Vec<Row>> {
        use rusqlite::types::ValueRef;
        let db = rusqlite::Connection::open(&self.path).expect("a database");
        let sql = format!("select * from \"{table}\" order by rowid");
        let mut statement = db.prepare(&sql).ok()?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let rows = statement.query_map([], |row| {
            names
                .iter()
                .enumerate()
                .map(|(at, name)| {
                    let value = match row.get_ref(at)? {
                        ValueRef::Null => Value::Null,
                        ValueRef::Integer(number) => json!(number),
                        ValueRef::Real(number) => json!(number),
                        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                        ValueRef::Blob(_) => panic!("a blob"),
                    };
                    Ok((name.clone(), value))
                })
                .collect::<rusqlite::Result<Row>>()
        });
        Some(rows.expect("rows").map(|row| row.expect("a row")).collect())
    }

    /// What SQLite or Postgres answers, as text.
    #[track_caller]
    pub(crate) fn ask(&self, sql: &str) -> String {
        #[cfg(unix)]
        if let Some(name) = &self.database {
            let (is_good, text) = super::postgres().expect("a server").psql(name, sql);
            assert!(is_good, "{text}");
            return text;
        }
        let db = rusqlite::Connection::open(&self.path).expect("a database");
        match sql.starts_with("select") {
            true => db
                .query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0))
                .map_or_else(
                    |error| panic!("{error}"),
                    |value| match value {
                        rusqlite::types::Value::Null => String::new(),
                        rusqlite::types::Value::Integer(number) => number.to_string(),
                        rusqlite::types::Value::Real(number) => number.to_string(),
                        rusqlite::types::Value::Text(text) => text,
                        rusqlite::types::Value::Blob(_) => "a blob".to_owned(),
                    },
                ),
            false => {
                db.execute_batch(sql).expect("a statement");
                String::new()
            }
        }
    }

    #[cfg(unix)]
    fn psql(&self, table: &str) -> Option<Vec<Row>> {
        let server = super::postgres()?;
        let sql = format!("select coalesce(json_agg(t), '[]') from \"{table}\" t");
        let (is_good, text) = server.psql(self.database.as_deref()?, &sql);
        is_good.then(|| serde_json::from_str(&text).expect("JSON"))
    }
}

#[cfg(feature = "parquet")]
fn parquet(path: &Path) -> Vec<Row> {
    use ::parquet::file::reader::SerializedFileReader;
    use ::parquet::record::reader::RowIter;
    let file = std::fs::File::open(path).expect("a file");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let value = |field: &::parquet::record::Field| match field {
        ::parquet::record::Field::Null => Value::Null,
        ::parquet::record::Field::Bool(flag) => json!(flag),
        ::parquet::record::Field::Long(number) => json!(number),
        ::parquet::record::Field::Double(number) => json!(number),
        ::parquet::record::Field::Str(text) => json!(text),
        other => panic!("{other:?}"),
    };
    RowIter::from_file_into(Box::new(reader))
        .map(|row| {
            let row = row.expect("a row");
            let members = row.get_column_iter();
            members
                .map(|(name, field)| (name.clone(), value(field)))
                .collect()
        })
        .collect()
}
