//! Parquet. Rows are gathered in batches, and batches in row groups; both are bounded in rows and in bytes.

use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::cell::Cell;
use super::columns::{Columns, Type};
use super::file::{Reader, Writer};

/// Most rows of a batch.
const BATCH_ROWS: usize = 8192;
/// Bytes of text after which a batch is written.
const BATCH_BYTES: usize = 4 << 20;
/// Most rows of a row group.
const GROUP_ROWS: usize = 128 << 10;
/// Bytes of memory after which a row group is written.
const GROUP_BYTES: usize = 16 << 20;

/// The values of one column in the current batch.
enum Builder {
    Bool(BooleanBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
}

impl Builder {
    fn new(kind: Type) -> Builder {
        match kind {
            Type::Bool => Builder::Bool(BooleanBuilder::new()),
            Type::Integer => Builder::Integer(Int64Builder::new()),
            Type::Float => Builder::Float(Float64Builder::new()),
            Type::Text | Type::Json | Type::Unknown => Builder::Text(StringBuilder::new()),
        }
    }

    /// Adds a value; gives its bytes of text.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        match (self, cell) {
            (Builder::Bool(builder), Cell::Bool(flag)) => builder.append_value(*flag),
            (Builder::Bool(builder), _) => builder.append_null(),
            (Builder::Integer(builder), Cell::Integer(number)) => builder.append_value(*number),
            (Builder::Integer(builder), _) => builder.append_null(),
            (Builder::Float(builder), Cell::Float(number)) => builder.append_value(*number),
            (Builder::Float(builder), _) => builder.append_null(),
            (Builder::Text(builder), Cell::Text(text) | Cell::Json(text)) => {
                builder.append_value(text);
                return text.len();
            }
            (Builder::Text(builder), _) => builder.append_null(),
        }
        0
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Bool(builder) => Arc::new(builder.finish()),
            Builder::Integer(builder) => Arc::new(builder.finish()),
            Builder::Float(builder) => Arc::new(builder.finish()),
            Builder::Text(builder) => Arc::new(builder.finish()),
        }
    }
}

pub(super) struct ParquetWriter {
    writer: ArrowWriter<File>,
    schema: SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
    bytes: usize,
}

fn schema(columns: &Columns) -> SchemaRef {
    let field = |(name, kind): (&str, Type)| {
        let kind = match kind {
            Type::Bool => DataType::Boolean,
            Type::Integer => DataType::Int64,
            Type::Float => DataType::Float64,
            Type::Text | Type::Json | Type::Unknown => DataType::Utf8,
        };
        Field::new(name, kind, true)
    };
    let fields = columns.iter().map(|(name, column)| (name, column.kind));
    Arc::new(Schema::new(fields.map(field).collect::<Vec<_>>()))
}

impl ParquetWriter {
    pub(super) fn new(file: File, columns: &Columns) -> io::Result<ParquetWriter> {
        let schema = schema(columns);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties));
        Ok(ParquetWriter {
            writer: writer.map_err(io::Error::other)?,
            builders: columns
                .iter()
                .map(|(_, column)| Builder::new(column.kind))
                .collect(),
            schema,
            rows: 0,
            bytes: 0,
        })
    }

    fn write_batch(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let arrays = self.builders.iter_mut().map(Builder::finish).collect();
        (self.rows, self.bytes) = (0, 0);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        let batch = batch.map_err(io::Error::other)?;
        self.writer.write(&batch).map_err(io::Error::other)?;
        if self.writer.memory_size() > GROUP_BYTES {
            self.writer.flush().map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl Writer for ParquetWriter {
    fn write(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for (builder, cell) in self.builders.iter_mut().zip(cells) {
            self.bytes += builder.push(cell);
        }
        self.rows += 1;
        match self.rows == BATCH_ROWS || self.bytes > BATCH_BYTES {
            true => self.write_batch(),
            false => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_batch()?;
        self.writer.close().map(drop).map_err(io::Error::other)
    }
}

pub(super) struct ParquetReader {
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    at: usize,
    kinds: Vec<Type>,
}

impl ParquetReader {
    pub(super) fn new(file: File, columns: &Columns) -> io::Result<ParquetReader> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(io::Error::other)?;
        let found: Vec<(&str, &DataType)> = builder
            .schema()
            .fields()
            .iter()
            .map(|field| (field.name().as_str(), field.data_type()))
            .collect();
        let expected = schema(columns);
        let expected: Vec<(&str, &DataType)> = expected
            .fields()
            .iter()
            .map(|field| (field.name().as_str(), field.data_type()))
            .collect();
        if found != expected {
            let told = "the file is not as it was written";
            return Err(io::Error::new(io::ErrorKind::InvalidData, told));
        }
        let batches = builder.with_batch_size(1024).build();
        Ok(ParquetReader {
            batches: batches.map_err(io::Error::other)?,
            batch: None,
            at: 0,
            kinds: columns.iter().map(|(_, column)| column.kind).collect(),
        })
    }
}

impl Reader for ParquetReader {
    fn read(&mut self) -> io::Result<Option<Vec<Cell<'static>>>> {
        while self
            .batch
            .as_ref()
            .is_none_or(|batch| self.at == batch.num_rows())
        {
            match self.batches.next() {
                None => return Ok(None),
                Some(batch) => {
                    self.batch = Some(batch.map_err(io::Error::other)?);
                    self.at = 0;
                }
            }
        }
        let arrays = self.batch.as_ref().map(RecordBatch::columns);
        let arrays = arrays.unwrap_or_default().iter().zip(&self.kinds);
        let cells = arrays.map(|(array, kind)| cell(array, *kind, self.at));
        let cells = cells.collect();
        self.at += 1;
        Ok(Some(cells))
    }
}

fn cell(array: &ArrayRef, kind: Type, at: usize) -> Cell<'static> {
    if array.is_null(at) {
        return Cell::Null;
    }
    match kind {
        Type::Bool => Cell::Bool(array.as_boolean().value(at)),
        Type::Integer => Cell::Integer(array.as_primitive::<Int64Type>().value(at)),
        Type::Float => Cell::Float(array.as_primitive::<Float64Type>().value(at)),
        Type::Text | Type::Unknown => {
            Cell::Text(array.as_string::<i32>().value(at).to_owned().into())
        }
        Type::Json => Cell::Json(array.as_string::<i32>().value(at).to_owned().into()),
    }
}
