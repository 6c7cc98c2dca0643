//! A walk over pages: each is printed as it comes, or all at the end.

use super::Call;
use crate::cli::interrupt::{next_signal_ends, unless_interrupted};
use crate::cli::output::{Format, Printer};
use crate::cli::terminal::Progress;
use crate::cli::{Done, Failure, note};
use crate::{Engine, Gathered, Note, Page, Pages, Tool};

impl Call {
    /// Follows the pages and prints what was read, no matter how the walk ends.
    pub(super) async fn walk(&self, engine: &Engine, tool: &Tool, call: crate::Call) -> Done {
        let mut pages = engine.pages(call)?;
        let mut printer = WalkPrinter::new(self, tool);
        let read = read_pages(&mut pages, &mut printer).await;
        Progress::end();
        if matches!(read, Err(Failure::Closed)) {
            return read;
        }
        let notes: Vec<Note> = pages.note().cloned().into_iter().collect();
        let printed = match pages.count() {
            0 => Ok(()),
            _ => printer.finish(&notes),
        };
        for text in &notes {
            match text.is_incomplete() {
                true => note(&text.where_it_stopped()),
                false => note(&text.to_string()),
            }
        }
        // If both failed, the exit code is that of the walk, and the other error is printed too.
        if let (Err(_), Err(Failure::Told(_, message))) = (&read, &printed) {
            note(message);
        }
        read.and(printed)
    }
}

/// Reads pages to the end and passes them to the printer.
async fn read_pages(pages: &mut Pages, printer: &mut WalkPrinter<'_>) -> Done {
    loop {
        let page = match unless_interrupted(pages.next()).await {
            Ok(Ok(Some(page))) => page,
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error.into()),
            Err(signal) => {
                pages.stop();
                next_signal_ends();
                let told = match pages.count() {
                    0 => "nothing was read",
                    _ => "the result is incomplete",
                };
                return Err(signal.failure(told));
            }
        };
        Progress::read(pages.count(), pages.items());
        let taken = printer.take(pages, page);
        if matches!(taken, Err(Failure::Told(..))) && printer.printer.rows_wait() {
            pages.stop();
        }
        taken?;
    }
}

/// Prints the pages of a walk: immediately if the format allows it, otherwise as one output.
struct WalkPrinter<'t> {
    printer: Printer<'t>,
    format: Format,
    /// Whether all rows are gathered before any is printed.
    gathers: bool,
    gathered: Gathered,
}

impl<'t> WalkPrinter<'t> {
    fn new(call: &'t Call, tool: &'t Tool) -> WalkPrinter<'t> {
        let (format, view) = (call.format(), &call.view);
        WalkPrinter {
            printer: call.printer(tool),
            format,
            gathers: view.sort.is_some() || (view.jq.is_some() && format != Format::Ndjson),
            gathered: Gathered::default(),
        }
    }

    fn take(&mut self, pages: &mut Pages, page: Page) -> Done {
        match self.format {
            Format::Raw => self.printer.raw_page(&page.response.body),
            Format::Ndjson | Format::Csv if !self.gathers => {
                self.printer.page(&pages.output(&page)?)
            }
            _ => {
                let output = pages.output(&page)?;
                self.gathered.add(page, output);
                Ok(())
            }
        }
    }

    fn finish(mut self, notes: &[Note]) -> Done {
        match self.gathered.output()? {
            Some(output) => self.printer.whole(&output, notes),
            None => self.printer.finish(),
        }
    }
}
