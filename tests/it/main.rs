//! The program of all integration tests: one file for each subject.

#![allow(clippy::print_stderr, reason = "some tests say what they leave out")]

#[path = "../mutation/mod.rs"]
mod mutants;
mod support;
#[path = "../broken/table.rs"]
mod table;

mod absent;
mod across_files;
mod admin_api;
mod approvals;
mod argument_forms;
mod arguments;
mod audit;
mod auth;
mod batch;
mod batch_chaos;
mod batch_harm;
mod bodies;
mod broken;
mod callers;
mod canary;
mod charts;
mod ci;
mod ci_jobs;
mod cli;
mod codes;
#[cfg(unix)]
mod config;
mod cookbook;
mod credentials;
mod curl_commands;
mod deadline;
mod diff;
#[cfg(unix)]
mod diff_git;
mod digits;
#[cfg(unix)]
mod docs;
mod downloads;
mod drift;
mod drift_bodies;
mod drift_hidden;
mod drift_live;
mod drift_pages;
mod drift_seeds;
mod editors;
mod engine;
mod examples;
mod export;
mod export_files;
mod export_judges;
#[cfg(unix)]
mod finding;
mod fleet;
mod fmt;
mod fuzz_regressions;
mod github;
mod h2;
#[cfg(unix)]
mod hostile;
#[cfg(target_os = "linux")]
mod hostile_files;
mod house;
mod import;
mod import_agreement;
mod import_check;
mod import_documents;
mod import_formats;
#[cfg(target_os = "linux")]
mod import_hostile;
mod import_plans;
mod import_responses;
mod jobs;
mod jq;
#[cfg(unix)]
mod jq_limits;
mod jsonpath_compliance;
mod layouts;
mod library;
mod licences;
mod lints;
mod lsp;
#[cfg(unix)]
mod lsp_edges;
mod lsp_judge;
mod mask;
mod mcp_sdk;
mod memory;
mod mutation;
mod new;
mod new_asked;
mod new_recorded;
mod new_secrets;
mod notations;
mod oauth;
#[cfg(all(feature = "otel", unix))]
mod otel;
mod pages;
mod plans;
mod policy;
#[cfg(unix)]
mod progress;
mod readme;
mod recorded_examples;
mod recorded_secrets;
mod recordings;
mod reference;
mod replays;
mod reports;
mod responses;
mod rows;
mod sandbox;
mod sandbox_alone;
mod sandbox_tools;
mod sandbox_writes;
mod schema_agreement;
mod schemas;
#[cfg(unix)]
mod screens;
mod sdk_agreement;
mod send;
mod serve;
mod serve_edges;
mod serve_http;
mod serve_results;
mod serve_search;
mod serve_sql;
mod serve_tasks;
mod services;
#[cfg(unix)]
mod shared;
mod shells;
mod sight;
mod slips;
mod sql;
mod streams;
mod styles;
mod sync;
mod sync_columns;
#[cfg(unix)]
mod sync_kills;
mod sync_reports;
#[cfg(unix)]
mod tables;
mod terminal;
mod trust;
mod two_faults;
mod types;
mod walk;
mod wire;
mod words;
