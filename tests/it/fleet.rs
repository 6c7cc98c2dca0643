//! The files of `docs/fleet`: they are YAML, they fit together, and the program takes the commands in them.

use std::borrow::Cow;
use std::path::Path;
use std::process::Command;

use pretty_assertions::assert_eq;
use serde_json::Value;
use toolrun::internals::Source;

use crate::support::{Output, Workspace, output};

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/fleet")
        .join(name);
    let text = std::fs::read_to_string(&path).expect("the file");
    let source = Source::parse(name.to_owned(), Cow::Owned(text)).expect("YAML");
    source.value().clone()
}

fn words(command: &Value) -> Vec<String> {
    let words = command.as_array().expect("a list of words");
    words
        .iter()
        .map(|word| word.as_str().expect("a word").to_owned())
        .collect()
}

/// Runs a command of a file in a folder with argument lines. A batch only checks them, and a worker finds no work.
#[track_caller]
fn try_out(command: &Value, index: &str) -> Output {
    let mut words = words(command);
    assert_eq!(words.remove(0), "toolrun");
    words.retain(|word| word != "--forever");
    let workspace = Workspace::new();
    workspace.write("lines.csv", "user_id\nuser_1\nuser_2\nuser_3\n");
    let here = workspace.path().display().to_string();
    let mut run = Command::new(env!("CARGO_BIN_EXE_toolrun"));
    run.env_clear().current_dir(&here);
    run.env("HOME", &here)
        .env("TOOLRUN_STORE", "sqlite:store.db");
    for word in words {
        let word = word.replace("$(JOB_COMPLETION_INDEX)", index);
        let word = match word.as_str() {
            "/lines.csv" | "/lines/lines.csv" => "lines.csv".to_owned(),
            word => word.replace("/rows/", &format!("{here}/")),
        };
        // What is only stored cannot only be checked.
        match word.as_str() {
            "--enqueue-only" => run.arg("--dry-run"),
            "batch" if index != "-" => run.args(["batch", "--dry-run"]),
            word => run.arg(word),
        };
    }
    output(&mut run).expect(0)
}

#[test]
fn the_compose_file_enqueues_once_and_its_workers_wait_for_that() {
    let file = read("compose.yaml");
    let services = &file["services"];
    let enqueue = try_out(&services["enqueue"]["command"], "-");
    assert!(
        enqueue
            .stderr
            .contains("3 jobs; nothing was sent or stored"),
        "{}",
        enqueue.stderr
    );
    let worker = try_out(&services["worker"]["command"], "-");
    assert!(
        worker.stderr.contains("there is no work in"),
        "{}",
        worker.stderr
    );
    let environment = &services["enqueue"]["environment"];
    assert_eq!(environment, &services["worker"]["environment"]);
    let store = environment["TOOLRUN_STORE"].as_str().expect("a store");
    assert_eq!(store, "postgres://toolrun@store/toolrun?sslmode=disable");
    let database = &services["store"]["environment"];
    assert_eq!(
        (&database["POSTGRES_USER"], &database["POSTGRES_DB"]),
        (&"toolrun".into(), &"toolrun".into())
    );
    assert_eq!(
        services["worker"]["depends_on"]["enqueue"]["condition"],
        "service_completed_successfully"
    );
    assert!(file["volumes"]["store"].is_object());
}

#[test]
fn the_job_of_shards_has_a_shard_for_each_index() {
    let file = read("shards.yaml");
    assert_eq!(
        (&file["apiVersion"], &file["kind"]),
        (&"batch/v1".into(), &"Job".into())
    );
    let spec = &file["spec"];
    assert_eq!(
        (
            &spec["completionMode"],
            &spec["template"]["spec"]["restartPolicy"]
        ),
        (&"Indexed".into(), &"OnFailure".into())
    );
    let container = &spec["template"]["spec"]["containers"][0];
    let shard = words(&container["command"])
        .into_iter()
        .find(|word| word.contains("COMPLETION_INDEX)/"));
    assert_eq!(
        shard,
        Some(format!("$(JOB_COMPLETION_INDEX)/{}", spec["completions"]))
    );
    let volumes = spec["template"]["spec"]["volumes"]
        .as_array()
        .expect("volumes");
    for mount in container["volumeMounts"].as_array().expect("mounts") {
        assert!(
            volumes.iter().any(|volume| volume["name"] == mount["name"]),
            "{mount}"
        );
    }
    let mut jobs = 0;
    for index in 0..8 {
        let told = try_out(&container["command"], &index.to_string()).stderr;
        let count = told
            .lines()
            .find_map(|line| line.strip_suffix(" jobs; nothing was sent or stored"));
        jobs += count
            .unwrap_or_else(|| panic!("{told}"))
            .parse::<u32>()
            .expect("a count");
    }
    assert_eq!(jobs, 3);
}

#[test]
fn the_deployment_of_workers_selects_its_own() {
    let file = read("workers.yaml");
    assert_eq!(
        (&file["apiVersion"], &file["kind"]),
        (&"apps/v1".into(), &"Deployment".into())
    );
    let template = &file["spec"]["template"];
    assert_eq!(
        file["spec"]["selector"]["matchLabels"],
        template["metadata"]["labels"]
    );
    let worker = try_out(&template["spec"]["containers"][0]["command"], "-");
    assert!(
        worker.stderr.contains("there is no work in"),
        "{}",
        worker.stderr
    );
}
