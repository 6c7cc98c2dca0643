//! The names by which documents show pages.

/// Names of the array of items, for a response with several arrays.
pub(super) const ITEMS: &[&str] = &[
    "data",
    "items",
    "results",
    "records",
    "entries",
    "values",
    "value",
    "list",
    "objects",
    "resources",
    "elements",
];
/// Objects in a response that describe its pages.
pub(super) const META: &[&str] = &[
    "meta",
    "metadata",
    "_meta",
    "paging",
    "pagination",
    "page_info",
    "pageInfo",
    "response_metadata",
    "cursors",
    "cursor",
    "links",
    "_links",
    "pages",
    "page",
    "next",
    "next_page",
];
/// Params that take a cursor, each with the members of a response that may hold the next one.
pub(super) const CURSORS: &[(&[&str], &[&str])] = &[
    (
        &[
            "cursor",
            "next_cursor",
            "nextCursor",
            "page[cursor]",
            "start_cursor",
        ],
        &[
            "next_cursor",
            "nextCursor",
            "next",
            "cursor_next",
            "end_cursor",
            "endCursor",
        ],
    ),
    (
        &[
            "page_token",
            "pageToken",
            "next_page_token",
            "nextPageToken",
        ],
        &["next_page_token", "nextPageToken"],
    ),
    (
        &["next_token", "nextToken", "NextToken", "pagination_token"],
        &["next_token", "nextToken", "NextToken"],
    ),
    (&["continue"], &["continue"]),
    (&["offset"], &["next_offset", "nextOffset"]),
    (
        &["continuation_token", "continuationToken", "continuation"],
        &[
            "continuation_token",
            "continuationToken",
            "next_continuation_token",
            "nextContinuationToken",
            "continuation",
        ],
    ),
    (
        &["page", "page_id"],
        &["next_page", "nextPage", "next_page_id"],
    ),
    (
        &["after", "page[after]", "after_cursor"],
        &[
            "after",
            "next_cursor",
            "nextCursor",
            "after_cursor",
            "end_cursor",
            "endCursor",
            "last_id",
        ],
    ),
    (&["after_id", "starting_after"], &["last_id"]),
    (
        &["marker", "Marker"],
        &["next_marker", "nextMarker", "NextMarker"],
    ),
];
/// Params with the size of a page.
pub(super) const SIZES: &[&str] = &[
    "limit",
    "per_page",
    "perPage",
    "page_size",
    "pageSize",
    "size",
    "max_results",
    "maxResults",
    "count",
    "first",
    "top",
    "$top",
    "page[size]",
    "page[limit]",
    "pagelen",
    "per-page",
    "PageSize",
];
/// Params with the number of a page.
pub(super) const NUMBERS: &[&str] = &[
    "page",
    "page_number",
    "pageNumber",
    "page[number]",
    "p",
    "Page",
];
/// Params with the number of items to skip.
pub(super) const OFFSETS: &[&str] = &[
    "offset",
    "skip",
    "$skip",
    "start",
    "page[offset]",
    "startAt",
];
/// Members that say whether there is another page.
pub(super) const MORE: &[&str] = &[
    "has_more",
    "hasMore",
    "has_next_page",
    "hasNextPage",
    "has_next",
];
/// Lists beside the rows: what else a response says.
pub(super) const BESIDE: &[&str] = &[
    "aggregations",
    "alerts",
    "column_names",
    "columnHeaders",
    "columns",
    "debug",
    "errors",
    "error",
    "facets",
    "failed",
    "failures",
    "fields",
    "filters",
    "headers",
    "included",
    "includes",
    "info",
    "invalid",
    "links",
    "_links",
    "messages",
    "missing",
    "notes",
    "notices",
    "notifications",
    "partialFailures",
    "partial_errors",
    "ranges",
    "schema",
    "sort",
    "sorts",
    "suggestions",
    "tips",
    "totals",
    "unprocessed",
    "unreachable",
    "unreachables",
    "unresolved",
    "validationErrors",
    "versions_info",
    "warning",
    "warnings",
    "_warnings",
    "_errors",
];
/// Objects that only wrap the list.
pub(super) const WRAPPERS: &[&str] = &[
    "data",
    "_embedded",
    "embedded",
    "result",
    "results",
    "response",
    "payload",
    "body",
    "content",
    "list",
    "page",
    "hits",
    "search",
    "output",
    "value",
    "return",
];
/// Members that hold the URL of the next page.
pub(super) const URLS: &[&str] = &[
    "@odata.nextLink",
    "nextLink",
    "next_page_url",
    "nextPageUrl",
    "next_url",
    "next_page_uri",
];
