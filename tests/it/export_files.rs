//! `toolrun export skill` and `docs`: files that say what the tools say and nothing else, and that never replace somebody else's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pretty_assertions::assert_eq;

use crate::export::hostile;
use crate::support::{Workspace, assert_tells};

const FORMATS: [&str; 3] = ["skill", "docs", "mcpb"];

/// All files below a folder, by path.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(folder).expect("below").to_string_lossy();
                    found.insert(
                        name.replace('\\', "/"),
                        fs::read_to_string(&path).expect("a text"),
                    );
                }
            }
        }
    }
    found
}

fn probe() -> Workspace {
    let workspace = Workspace::new();
    hostile(&workspace);
    workspace
}

fn export(workspace: &Workspace, format: &str, more: &[&str]) -> crate::support::Output {
    let mut words = vec!["export", format, "out", "--service", "probe"];
    words.extend(more);
    workspace.run(&words)
}

#[test]
fn two_exports_give_the_same_files_and_nothing_of_this_machine() {
    for format in FORMATS {
        let (one, two) = (probe(), probe());
        export(&one, format, &[]).expect(0);
        export(&two, format, &[]).expect(0);
        let made = files(&one.path().join("out"));
        assert_eq!(made, files(&two.path().join("out")), "{format}");
        // A bundle has the descriptors as they are.
        for (name, text) in made
            .into_iter()
            .filter(|(name, _)| !name.starts_with("tools/"))
        {
            for part in [&*one.path().to_string_lossy(), "\u{202e}", "\u{200b}"] {
                assert!(!text.contains(part), "{name}: {part}");
            }
        }
    }
}

/// The lines outside of blocks of code, and whether all blocks end.
fn prose(text: &str) -> (Vec<&str>, bool) {
    let mut fence: Option<String> = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        let marks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if line.trim_end() == *open => fence = None,
            Some(_) => {}
            None if marks.len() >= 3 => fence = Some(marks),
            None => lines.push(line),
        }
    }
    (lines, fence.is_none())
}

/// The bars of a table's row that are not escaped.
fn bars(line: &str) -> usize {
    line.replace("\\\\", "")
        .replace("\\|", "")
        .matches('|')
        .count()
}

#[test]
fn hostile_texts_break_out_of_nothing() {
    for format in FORMATS {
        let workspace = probe();
        export(&workspace, format, &[]).expect(0);
        for (name, text) in files(&workspace.path().join("out")) {
            if !name.ends_with(".md") {
                continue;
            }
            let (lines, is_whole) = prose(&text);
            assert!(is_whole, "{name}");
            let mut in_table = 0;
            // The head of a skill is YAML, and is read as such below.
            let is_head = |line: &&&str| line.starts_with("description: ");
            for line in lines.iter().filter(|line| !is_head(line)) {
                let line = *line;
                for part in [
                    "<script",
                    "</script",
                    "<!--",
                    "](javascript",
                    "![x](",
                    "[click](",
                ] {
                    assert!(
                        !line.contains(part) || line.contains("\\[click"),
                        "{name}: {line}"
                    );
                }
                assert!(
                    !line.contains("](javascript") || line.contains("click\\](javascript"),
                    "{name}: {line}"
                );
                let is_heading = line.starts_with('#');
                assert!(
                    !is_heading || !line.contains("# Heading") || line.contains("Ends here"),
                    "{name}: {line}"
                );
                match (line.starts_with('|'), in_table) {
                    (true, 0) => in_table = bars(line),
                    (true, expected) => assert_eq!(bars(line), expected, "{name}: {line}"),
                    (false, _) => in_table = 0,
                }
            }
            if name.ends_with("SKILL.md") {
                let marks = text.lines().filter(|line| *line == "---").count();
                assert_eq!(marks, 2, "{text}");
                let head: Vec<&str> = text.split("---\n").collect();
                let about: serde_json::Value = serde_yaml::from_str(head[1]).expect("YAML");
                assert_eq!(about["name"], "probe");
                let description = about["description"].as_str().expect("a description");
                assert!(
                    description.chars().count() <= 1024 && description.contains("Ends here."),
                    "{description}"
                );
                assert!(!description.contains(['<', '>', '\n']), "{description}");
                assert_eq!(about.as_object().expect("a map").len(), 3, "{about}");
            }
        }
    }
}

#[test]
fn the_commands_in_a_skill_do_what_they_say() {
    let workspace = Workspace::new();
    workspace
        .run(&[
            "export",
            "skill",
            "out",
            "list-members",
            "create-invite",
            "get-organization",
        ])
        .expect(0);
    let mut calls = 0;
    for (name, text) in files(&workspace.path().join("out")) {
        for line in text
            .lines()
            .filter(|line| line.starts_with("toolrun call "))
        {
            let line = line.replacen("toolrun", env!("CARGO_BIN_EXE_toolrun"), 1) + " --sandbox";
            let line = line.replace("user@emaildomain.com", "new@example.com");
            let told = crate::support::output(
                std::process::Command::new("sh")
                    .arg("-c")
                    .arg(&line)
                    .current_dir(workspace.path())
                    .env_clear(),
            );
            assert_eq!(told.code, 0, "{name}: {line}: {told:?}");
            calls += 1;
        }
    }
    assert!(calls >= 4, "{calls}");
}

#[test]
fn a_service_with_a_thousand_tools_still_has_a_small_skill() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    let all = 700;
    for i in 0..all {
        workspace.tool(
            &format!("do-something-useful-with-number-{i}"),
            "read",
            "request: { method: GET, path: /x }",
        );
    }
    export(&workspace, "skill", &[]).expect(0);
    let files = files(&workspace.path().join("out"));
    assert_eq!(files.len(), all + 3);
    let skill = &files["probe/SKILL.md"];
    assert!(skill.len() < 15_000, "{}", skill.len());
    assert!(skill.contains("references/_tools.md"), "{skill}");
    assert_eq!(
        files["probe/references/_tools.md"]
            .matches("| read |")
            .count(),
        all
    );
    crate::export_judges::judge("skill", &workspace.path().join("out"));
}

/// A page of each format, to be changed by hand.
fn page(format: &str) -> &'static str {
    match format {
        "skill" => "out/probe/references/say-things.md",
        "mcpb" => "out/manifest.json",
        _ => "out/probe.md",
    }
}

#[test]
fn what_an_export_did_not_write_is_never_replaced() {
    for format in FORMATS {
        let page = page(format);
        let workspace = probe();
        let read = || fs::read_to_string(workspace.path().join(page)).expect("a file");
        // Somebody else's file stays, also in an update.
        workspace.write(page, "mine");
        for more in [&[][..], &["--update"]] {
            assert_tells(
                &export(&workspace, format, more).expect(2),
                &["nothing was written", page.rsplit('/').next().unwrap()],
            );
            assert_eq!(read(), "mine");
            assert_eq!(files(&workspace.path().join("out")).len(), 1, "{format}");
        }
        fs::remove_file(workspace.path().join(page)).unwrap();
        export(&workspace, format, &[]).expect(0);
        let first = read();
        assert!(
            export(&workspace, format, &[])
                .expect(0)
                .stdout
                .starts_with("out: 0 files written")
        );
        // A changed tool needs an update.
        workspace.tool("say-things", "read", "request: { method: GET, path: /new }");
        assert_tells(
            &export(&workspace, format, &[]).expect(2),
            &["--update replaces what an export wrote"],
        );
        assert_eq!(read(), first);
        export(&workspace, format, &["--update"]).expect(0);
        assert!(read() != first, "{format}");
        // A file that was changed by hand stays.
        workspace.write(page, "changed");
        assert_tells(
            &export(&workspace, format, &["--update"]).expect(2),
            &["it was changed since it was written"],
        );
        assert_eq!(read(), "changed");
    }
}

/// A disk that is full, and what a kill left behind: no half of an export stays, and the next one is not held up.
#[cfg(unix)]
#[test]
fn an_export_is_written_whole_or_not_at_all() {
    for format in FORMATS {
        let workspace = probe();
        let out = workspace.path().join("out");
        let on_full_disk = || {
            let mut command = std::process::Command::new("sh");
            command
                .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"])
                .arg(env!("CARGO_BIN_EXE_toolrun"))
                .args(["--tools", "descriptors", "export", format, "out"])
                .args(["--service", "probe", "--update"])
                .current_dir(workspace.path());
            crate::support::output(&mut command)
        };
        let failed = on_full_disk();
        assert!(failed.code != 0, "{format}: {}", failed.stdout);
        assert!(!out.exists(), "{format}: {:?}", files(&out));
        workspace.write(&format!("{}.new", page(format)), "left");
        export(&workspace, format, &[]).expect(0);
        let before = files(&out);
        workspace.tool("say-things", "read", "request: { method: GET, path: /new }");
        assert!(on_full_disk().code != 0, "{format}");
        assert_eq!(files(&out), before, "{format}");
        export(&workspace, format, &["--update"]).expect(0);
        assert_ne!(files(&out), before, "{format}");
    }
}

#[test]
fn an_update_removes_the_pages_of_tools_that_are_gone_unless_they_were_changed() {
    let workspace = probe();
    workspace.tool("go-away", "read", "request: { method: GET, path: /a }");
    workspace.tool("go-too", "read", "request: { method: GET, path: /a }");
    export(&workspace, "skill", &[]).expect(0);
    let page = |name: &str| {
        workspace
            .path()
            .join(format!("out/probe/references/{name}.md"))
    };
    for name in ["go-away", "go-too"] {
        fs::remove_file(workspace.descriptors().join(format!("probe/{name}.yaml"))).unwrap();
    }
    fs::write(page("go-too"), "changed").unwrap();
    let told = export(&workspace, "skill", &["--update"]).expect(0);
    assert!(told.stdout.contains("1 removed"), "{told:?}");
    assert_tells(
        &told,
        &["go-too.md is no longer part of the export and stays"],
    );
    assert!(!page("go-away").exists() && page("go-too").exists());
}

#[test]
fn a_record_leads_nowhere_and_links_are_not_followed() {
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let workspace = probe();
    workspace.write("victim", "");
    workspace.write(
        "out/probe/.toolrun-export",
        format!(
            "{digest}  ../../victim\n{digest}  {}\n",
            workspace.path().join("victim").display()
        ),
    );
    export(&workspace, "skill", &["--update"]).expect(0);
    assert!(workspace.path().join("victim").exists());
    #[cfg(unix)]
    {
        let workspace = probe();
        workspace.write("elsewhere/keep", "");
        workspace.write("out/keep", "");
        std::os::unix::fs::symlink("../elsewhere", workspace.path().join("out/probe")).unwrap();
        for more in [&[][..], &["--update"]] {
            assert_tells(
                &export(&workspace, "skill", more).expect(2),
                &["it is a link"],
            );
        }
        assert_eq!(files(&workspace.path().join("elsewhere")).len(), 1);
    }
}

#[test]
fn a_bundle_serves_what_its_manifest_lists() {
    let workspace = probe();
    let told = workspace
        .run(&[
            "export",
            "mcpb",
            "out",
            "say-things",
            "list-members",
            "use-keywords",
        ])
        .expect(0);
    assert_tells(
        &told,
        &[
            "probe/use-keywords: the tool is left out: the server of a bundle only runs tools that read",
            "put the program toolrun at server/toolrun",
        ],
    );
    let made = files(&workspace.path().join("out"));
    let names: Vec<&String> = made.keys().collect();
    assert_eq!(
        names,
        [
            ".toolrun-export",
            "manifest.json",
            "tools/probe/say-things.yaml",
            "tools/probe/service.yaml"
        ]
    );
    let manifest: serde_json::Value = serde_json::from_str(&made["manifest.json"]).expect("JSON");
    assert_eq!(manifest["user_config"]["probe_key"]["sensitive"], true);
    let config = &manifest["server"]["mcp_config"];
    assert_eq!(config["env"]["PROBE_KEY"], "${user_config.probe_key}");
    assert_eq!(config["command"], "${__dirname}/server/toolrun");
    let out = workspace.path().join("out");
    let arguments = config["args"].as_array().expect("arguments").iter();
    let arguments: Vec<String> = arguments
        .map(|one| {
            one.as_str()
                .expect("a text")
                .replace("${__dirname}", &out.to_string_lossy())
        })
        .collect();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_toolrun"));
    command
        .env_clear()
        .current_dir(workspace.path())
        .args(arguments);
    let mut mcp = crate::support::Mcp::start(&mut command, crate::support::MODERN);
    let served: Vec<String> = mcp
        .tools()
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name").to_owned())
        .collect();
    let listed: Vec<String> = manifest["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(served, listed);
}
