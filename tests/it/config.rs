//! Profiles: the configuration file, what comes before what, and what `toolrun config` shows.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use crate::support::{Fake, Output, Reply, Workspace, on_terminal_of, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const SERVICE: &str = r#"
settings: { region: { default: eu, env: PROBE_REGION } }
headers: { x-region: "{{ settings.region }}" }
auth: { kind: api_key, in: header, name: x-key, secret: { env: PROBE_KEY } }
"#;

/// A service at `origin`, and a profile `acme` with everything.
fn workspace(origin: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(origin, SERVICE);
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /v1/probe }",
    );
    workspace.write("config/acme/.env", "ACME_KEY=acme-file-canary-1\nOTHER=x\n");
    workspace.write("config/globex.env", "PROBE_KEY=globex-file-canary-1\n");
    workspace.write(
        "named.env",
        "PROBE_KEY=named-file-canary-1\nACME_KEY=named-acme-canary-1\n",
    );
    workspace.write("config/tools/solo.yaml", SOLO);
    workspace.write("config/toolrun.toml", PROFILES);
    workspace
}

const SOLO: &str = r#"
spec: 1
tool: solo
description: Alone.
access: read
service: { service: solo, base_url: "https://solo.test" }
request: { method: GET, path: /v1 }
"#;

const PROFILES: &str = r#"
[profiles.acme]
env_file = "acme/.env"
output = "yaml"
tools = ["tools"]

[profiles.acme.settings]
region = "us"

[profiles.acme.secrets]
PROBE_KEY = { env = "ACME_KEY" }

[profiles.globex]
env_file = "globex.env"

[profiles.ring.secrets.PROBE_KEY.keyring]
service = "toolrun-no-such-service"
account = "nobody"
"#;

fn toolrun(workspace: &Workspace) -> Command {
    let mut command = workspace.toolrun();
    command.env(
        "TOOLRUN_CONFIG",
        workspace.path().join("config/toolrun.toml"),
    );
    command
}

fn configure(workspace: &Workspace, text: impl AsRef<[u8]>) {
    workspace.write("config/toolrun.toml", text);
}

fn run(workspace: &Workspace, words: &[&str]) -> Output {
    output(toolrun(workspace).args(words))
}

/// A flag comes before the environment, that before the profile, and that before the default.
#[test]
fn precedence_is_as_it_is_written_down() {
    let fake = Fake::start(|_| Reply::json(200, &json!({"a": 1})));
    let workspace = workspace(&fake.origin());
    let mut wrong = Vec::new();
    // Flags, variables, then what the request holds: region and key.
    for (flags, variables, region, key) in [
        (
            &[][..],
            &[("PROBE_KEY", "environment-key")][..],
            "eu",
            "environment-key",
        ),
        (&["--profile", "acme"], &[], "us", "acme-file-canary-1"),
        (
            &["--profile=acme"],
            &[("PROBE_REGION", "ap")],
            "ap",
            "acme-file-canary-1",
        ),
        (
            &["--profile=acme", "--set", "region=sa"],
            &[("PROBE_REGION", "ap")],
            "sa",
            "acme-file-canary-1",
        ),
        (
            &[],
            &[("TOOLRUN_PROFILE", "acme")],
            "us",
            "acme-file-canary-1",
        ),
        (
            &["--profile", "globex"],
            &[("TOOLRUN_PROFILE", "acme")],
            "eu",
            "globex-file-canary-1",
        ),
        (
            &["--profile", ""],
            &[("TOOLRUN_PROFILE", "acme"), ("PROBE_KEY", "plain")],
            "eu",
            "plain",
        ),
        (
            &[],
            &[("TOOLRUN_PROFILE", ""), ("PROBE_KEY", "plain")],
            "eu",
            "plain",
        ),
        // The profile says which name counts; what another organisation's variable holds does not.
        (
            &["--profile=acme"],
            &[("PROBE_KEY", "other")],
            "us",
            "acme-file-canary-1",
        ),
        (
            &["--profile=acme"],
            &[("ACME_KEY", "environment-acme")],
            "us",
            "environment-acme",
        ),
        (
            &["--profile=globex"],
            &[("PROBE_KEY", "environment-key")],
            "eu",
            "environment-key",
        ),
        (
            &["--profile=globex", "--env-file", "named.env"],
            &[],
            "eu",
            "named-file-canary-1",
        ),
        (
            &["--profile=acme", "--env-file", "named.env"],
            &[],
            "us",
            "named-acme-canary-1",
        ),
        (&["--env-file=named.env"], &[], "eu", "named-file-canary-1"),
        (
            &["--env-file=named.env"],
            &[("PROBE_KEY", "environment-key")],
            "eu",
            "environment-key",
        ),
    ] {
        let mut command = toolrun(&workspace);
        command
            .args(["call", "get-probe"])
            .args(flags)
            .envs(variables.iter().copied());
        let done = output(&mut command);
        let request = fake.requests().pop();
        let header = |name: &str| Some(request.as_ref()?.header(name)?.to_owned());
        if done.code != 0
            || (header("x-region").as_deref(), header("x-key").as_deref())
                != (Some(region), Some(key))
        {
            wrong.push(format!(
                "{flags:?} {variables:?}: {request:?} {}",
                done.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_default_profile_is_in_force_without_a_name() {
    let fake = Fake::start(|_| Reply::json(200, &json!({"a": 1})));
    let workspace = workspace(&fake.origin());
    configure(&workspace, format!("default = \"acme\"\n{PROFILES}"));
    for (words, region, printed) in [
        (&[][..], "us", "a: 1\n"),
        (&["-o", "json"], "us", "{\"a\":1}\n"),
        (&["--profile", "globex"], "eu", "{\"a\":1}\n"),
    ] {
        let mut all = vec!["call", "get-probe"];
        all.extend(words);
        let done = run(&workspace, &all).expect(0);
        assert_eq!(done.stdout, printed, "{words:?}");
        let request = fake.requests().pop().unwrap();
        assert_eq!(request.header("x-region"), Some(region), "{words:?}");
    }
}

#[test]
fn a_file_of_secrets_that_does_not_count_is_told() {
    let fake = Fake::start(|_| Reply::ok());
    let workspace = workspace(&fake.origin());
    for (value, is_told) in [("environment-key", true), ("globex-file-canary-1", false)] {
        let mut command = toolrun(&workspace);
        command
            .args(["call", "get-probe", "--profile=globex"])
            .env("PROBE_KEY", value);
        let done = output(&mut command).expect(0);
        let told = done
            .stderr
            .contains("PROBE_KEY is taken from the environment, and not from");
        assert_eq!(told, is_told, "{}", done.stderr);
        assert!(!done.stderr.contains("canary") && !done.stderr.contains("environment-key"));
    }
}

#[test]
fn a_secret_that_is_moved_is_nowhere_else() {
    let workspace = workspace("https://api.probe.test");
    fs::write(
        workspace.path().join("config/acme/.env"),
        "PROBE_KEY=wrong-canary-1\n",
    )
    .unwrap();
    for (profile, told) in [
        ("acme", "the secret ACME_KEY is not set"),
        ("ring", "toolrun-no-such-service/nobody"),
    ] {
        let mut command = toolrun(&workspace);
        command
            .args(["call", "get-probe", "--profile", profile])
            .env("PROBE_KEY", "other-canary-1");
        let done = output(&mut command).expect(4);
        assert!(done.stderr.contains(told), "{profile}: {}", done.stderr);
        assert!(
            !done.stderr.contains("canary"),
            "{profile}: {}",
            done.stderr
        );
    }
    let done = run(&workspace, &["call", "get-probe", "--profile=acme"]).expect(4);
    assert!(
        done.stderr
            .contains("set ACME_KEY in the environment or in "),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("config/acme/.env"), "{}", done.stderr);
    // A printed command names the variable that works there.
    let done = run(
        &workspace,
        &["call", "get-probe", "--profile=acme", "--dry-run=curl"],
    )
    .expect(0);
    assert!(
        done.stderr
            .contains("in the profile acme, ACME_KEY is used in place of PROBE_KEY"),
        "{}",
        done.stderr
    );
    assert!(done.stdout.contains("${ACME_KEY}"), "{}", done.stdout);
    assert!(!done.stdout.contains("PROBE_KEY"), "{}", done.stdout);
}

#[test]
fn what_is_named_must_be_there() {
    let workspace = workspace("https://api.probe.test");
    let broken = "[profiles.a]\ntools = [\"nowhere\"]\n[profiles.b]\nenv_file = \"nowhere.env\"\n";
    configure(&workspace, broken);
    fs::create_dir(workspace.path().join("folder.env")).unwrap();
    for (words, told) in [
        (
            &["list", "--tools", "nowhere"][..],
            "there is no folder nowhere (--tools)",
        ),
        (
            &["call", "get-probe", "--tools", "named.env"],
            "there is no folder named.env (--tools)",
        ),
        (&["list", "--profile", "a"], "config/nowhere (profile a)"),
        (
            &["call", "get-probe", "--profile", "b"],
            "(profile b) cannot be read: there is no such file",
        ),
        (
            &["call", "get-probe", "--env-file", "nowhere.env"],
            "nowhere.env (--env-file) cannot be read: there is no such file",
        ),
        (
            &["call", "get-probe", "--env-file", "folder.env"],
            "it is a folder",
        ),
        (
            &["call", "get-probe", "--profile", "c"],
            "there is no profile `c` (--profile)",
        ),
    ] {
        let done = run(&workspace, words).expect(2);
        assert!(done.stderr.contains(told), "{words:?}: {}", done.stderr);
        if words[0] == "call" {
            let mut json = words.to_vec();
            json.extend(["-o", "json"]);
            assert_eq!(run(&workspace, &json).expect(2).error()["kind"], "usage");
        }
    }
    let mut command = workspace.toolrun();
    command
        .arg("list")
        .env("TOOLRUN_TOOLS", workspace.path().join("nowhere"));
    let done = output(&mut command).expect(0);
    assert!(
        done.stderr.contains("nowhere ($TOOLRUN_TOOLS)"),
        "{}",
        done.stderr
    );
    for (file, told) in [
        (
            "/nowhere/toolrun.toml",
            "there is no file /nowhere/toolrun.toml",
        ),
        ("toolrun.toml", "must be an absolute path"),
    ] {
        let mut command = workspace.toolrun();
        command.arg("list").env("TOOLRUN_CONFIG", file);
        let done = output(&mut command).expect(2);
        assert!(done.stderr.contains(told), "{}", done.stderr);
    }
    // Without any file there is no profile.
    let mut command = workspace.toolrun();
    command
        .args(["list", "--profile", "acme"])
        .env("HOME", workspace.path());
    let done = output(&mut command).expect(2);
    assert!(
        done.stderr.contains("because there is no file"),
        "{}",
        done.stderr
    );
}

#[test]
fn mistakes_are_told_with_their_place_and_never_quoted() {
    let workspace = workspace("https://api.probe.test");
    let key = "sk-canary-0123456789abcdefghij";
    for (text, place, told) in [
        ("defualt = \"a\"".to_owned(), "1:1", "there is no key `defualt` here [unknown-key] (did you mean `default`?)"),
        ("default = \"acm\"\n[profiles.acme]".to_owned(), "1:11", "there is no profile `acm` [unknown-name] (did you mean `acme`?)"),
        ("[profiles.a]\nenvfile = \"x\"".to_owned(), "2:1", "did you mean `env_file`?"),
        ("[profiles.a]\nnonsense = 1".to_owned(), "2:1", "the keys are env_file, output, tools, settings, secrets"),
        ("[profiles.a]\noutput = \"jsn\"".to_owned(), "2:10", "did you mean `json`?"),
        ("[profiles.a]\noutput = 3".to_owned(), "2:10", "`output` must be a string, not a number [wrong-type]"),
        ("[profiles.a]\ntools = \"x\"".to_owned(), "2:9", "`tools` must be a list of folders"),
        ("[profiles]\na = 1".to_owned(), "2:5", "`a` must be a table"),
        ("[profiles.a]\noutput = \"json\"\noutput = \"csv\"".to_owned(), "3:1", "duplicate key"),
        ("[profiles.a]\nsettings = { x = [1] }".to_owned(), "2:18", "[wrong-type]"),
        ("[profiles.a]\nenv_file = \"\"".to_owned(), "2:12", "[bad-value]"),
        ("[profiles.a]\nenv_file = \"~acme/.env\"".to_owned(), "2:12", "whose first part only a shell understands [bad-value] (write the whole path"),
        ("[profiles.a]\ntools = [\"~\"]".to_owned(), "2:10", "[bad-value]"),
        ("[profiles.a]\ntools = [\"$HOME/tools\"]".to_owned(), "2:10", "[bad-value]"),
        ("[profiles.a.secrets]\nprobe_key = { env = \"A\" }".to_owned(), "2:1", "[bad-name]"),
        ("[profiles.a.secrets]\nPROBE_KEY = {}".to_owned(), "2:13", "needs exactly one place"),
        ("[profiles.a.secrets]\nPROBE_KEY = { env = \"A\", keyring = { service = \"x\", account = \"y\" } }".to_owned(), "2:13", "needs exactly one place"),
        ("[profiles.a.secrets]\nPROBE_KEY = { keyring = { service = \"x\" } }".to_owned(), "2:25", "[missing-key]"),
        ("[profiles.a.secrets]\nPROBE_KEY = { evn = \"A\" }".to_owned(), "2:15", "did you mean `env`?"),
        // Secrets.
        (format!("[profiles.a.secrets]\nPROBE_KEY = \"{key}\""), "2:13", "[literal-secret]"),
        ("[profiles.a.secrets]\nPROBE_KEY = \"hunter2-canary\"".to_owned(), "2:13", "[literal-secret]"),
        (format!("[profiles.a.secrets]\nPROBE_KEY = {{ env = \"{key}\" }}"), "2:21", "[literal-secret]"),
        ("[profiles.a.secrets]\nPROBE_KEY = { env = \"hunter2-canary\" }".to_owned(), "2:21", "[literal-secret]"),
        (format!("[profiles.a.settings]\nregion = \"{key}\""), "2:10", "[literal-secret]"),
        (format!("[profiles.a]\n\"{key}\" = 1"), "2:1", "[unknown-key]"),
        // What is no TOML.
        (format!("[profiles.a]\nPROBE_KEY = {key}"), "2:13", ""),
        (key.to_owned(), "1:", ""),
        (format!("[profiles.a\nx = \"{key}\""), "1:", ""),
        ("[profiles.a]\noutput = \"js\0on\"".to_owned(), "2:", ""),
        ("\0".to_owned(), "1:", ""),
    ] {
        configure(&workspace, &text);
        let done = run(&workspace, &["call", "get-probe"]).expect(2);
        let place = format!("config/toolrun.toml:{place}");
        assert!(done.stderr.contains(&place), "{text:?}: {place} is not in {}", done.stderr);
        assert!(done.stderr.contains(told), "{text:?}: {told:?} is not in {}", done.stderr);
        assert!(!done.stderr.contains("canary"), "{text:?}: {}", done.stderr);
        // Commands that read no profile go on.
        run(&workspace, &["config", "path"]).expect(0);
        run(&workspace, &["explain", "unknown-key"]).expect(0);
        let error = run(&workspace, &["config", "-o", "json"]).expect(2).error();
        assert_eq!(error["kind"], "usage", "{text:?}");
    }
    // All mistakes are told at once.
    configure(
        &workspace,
        "defualt = 1\n[profiles.a]\noutptu = 1\ntools = 2\n",
    );
    let done = run(&workspace, &["list"]).expect(2);
    assert_eq!(
        done.stderr.matches("toolrun.toml:").count(),
        3,
        "{}",
        done.stderr
    );
}

#[test]
#[ignore = "long"]
fn a_file_that_others_made_or_that_is_none_is_refused() {
    let workspace = workspace("https://api.probe.test");
    let file = workspace.path().join("config/toolrun.toml");
    let folder = workspace.path().join("config");
    let mode = |path: &std::path::Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    type Make<'m> = &'m dyn Fn();
    let cases: [(&str, Make<'_>, Option<&str>); 10] = [
        ("plain", &|| fs::write(&file, PROFILES).unwrap(), None),
        (
            "a link",
            &|| symlink(workspace.path().join("other.toml"), &file).unwrap(),
            None,
        ),
        (
            "a link to nothing",
            &|| symlink("nowhere", &file).unwrap(),
            Some("it is a link that leads nowhere"),
        ),
        (
            "a device",
            &|| symlink("/dev/zero", &file).unwrap(),
            Some("it is no plain file"),
        ),
        (
            "a folder",
            &|| fs::create_dir(&file).unwrap(),
            Some("it is no plain file"),
        ),
        (
            "a pipe",
            &|| {
                assert!(
                    Command::new("mkfifo")
                        .arg(&file)
                        .status()
                        .unwrap()
                        .success()
                );
            },
            Some("it is no plain file"),
        ),
        (
            "huge",
            &|| {
                fs::File::create(&file)
                    .unwrap()
                    .set_len((1 << 20) + 1)
                    .unwrap();
            },
            Some("it is larger than 1048576 bytes"),
        ),
        (
            "no text",
            &|| fs::write(&file, b"default = \"\xff\"").unwrap(),
            Some("UTF-8"),
        ),
        (
            "for all",
            &|| {
                fs::write(&file, PROFILES).unwrap();
                mode(&file, 0o666);
            },
            Some("other users can write to it"),
        ),
        (
            "in a folder for all",
            &|| {
                fs::write(&file, PROFILES).unwrap();
                mode(&folder, 0o777);
            },
            Some("other users can replace it"),
        ),
    ];
    workspace.write("other.toml", PROFILES);
    for (name, make, told) in cases {
        if file.is_dir() && !file.is_symlink() {
            fs::remove_dir(&file).unwrap();
        } else if file.symlink_metadata().is_ok() {
            fs::remove_file(&file).unwrap();
        }
        make();
        for words in [
            &["call", "get-probe", "--profile=acme", "--dry-run"][..],
            &["list"],
            &["config"],
        ] {
            let done = run(&workspace, words);
            match told {
                None => drop(done.expect(0)),
                Some(told) => {
                    assert!([2, 5].contains(&done.code), "{name}: {done:?}");
                    assert!(done.stderr.contains(told), "{name}: {}", done.stderr);
                }
            }
        }
    }
    mode(&folder, 0o700);
}

#[test]
fn a_folder_that_is_not_trusted_gets_nothing_of_a_profile() {
    let fake = Fake::start(|_| Reply::ok());
    let workspace = workspace(&fake.origin());
    fs::rename(workspace.descriptors(), workspace.path().join("tools")).unwrap();
    fs::create_dir(workspace.descriptors()).unwrap();
    let done = run(
        &workspace,
        &["call", "get-probe", "--profile=acme", "--dry-run=json"],
    )
    .expect(0);
    let headers = done.json()["headers"].clone();
    assert!(
        headers
            .as_array()
            .unwrap()
            .contains(&json!(["x-region", "eu"])),
        "{headers}"
    );
    run(&workspace, &["call", "get-probe", "--profile=acme"]).expect(5);
    assert_eq!(fake.requests().len(), 0);
    let shown = run(&workspace, &["config", "--profile=acme", "-o", "json"])
        .expect(0)
        .json();
    let secret = find(&shown["secrets"], "PROBE_KEY");
    assert_eq!(
        (&secret["set"], &secret["from"]),
        (
            &Value::Null,
            &json!("the folder of its descriptor is not trusted")
        )
    );
    assert_eq!(find(&shown["settings"], "region")["value"], "eu");
}

fn find(list: &Value, name: &str) -> Value {
    let mut rows = list.as_array().unwrap().iter();
    rows.find(|row| row["name"] == name).unwrap().clone()
}

#[test]
fn config_shows_where_each_value_comes_from() {
    let workspace = workspace("https://api.probe.test");
    let root = workspace.path();
    let at = |name: &str| root.join(name).display().to_string();
    // Flags, variables, then setting and its source, secret and its source, output, the file of secrets and its source.
    for (flags, variables, setting, secret, output_row, env_file) in [
        (
            &[][..],
            &[][..],
            ("eu", "default"),
            (false, "would be PROBE_KEY".to_owned()),
            ("a table on a terminal, JSON in a pipe", "default"),
            (".env".to_owned(), "default"),
        ),
        (
            &["--profile=acme"],
            &[],
            ("us", "profile acme"),
            (true, format!("ACME_KEY in {}", at("config/acme/.env"))),
            ("yaml", "profile acme"),
            (at("config/acme/.env"), "profile acme"),
        ),
        (
            &["--profile=acme"],
            &[("PROBE_REGION", "ap"), ("ACME_KEY", "canary")],
            ("ap", "$PROBE_REGION"),
            (true, "$ACME_KEY".to_owned()),
            ("yaml", "profile acme"),
            (at("config/acme/.env"), "profile acme"),
        ),
        (
            &["--env-file=named.env"],
            &[],
            ("eu", "default"),
            (true, "PROBE_KEY in named.env".to_owned()),
            ("a table on a terminal, JSON in a pipe", "default"),
            ("named.env".to_owned(), "--env-file"),
        ),
    ] {
        let mut command = toolrun(&workspace);
        command
            .args(["config", "-o", "json"])
            .args(flags)
            .envs(variables.iter().copied());
        let done = output(&mut command).expect(0);
        assert!(!done.stdout.contains("canary"), "{}", done.stdout);
        let shown = done.json();
        let row = find(&shown["settings"], "region");
        assert_eq!(
            (&row["value"], &row["from"]),
            (&json!(setting.0), &json!(setting.1)),
            "{flags:?}"
        );
        let row = find(&shown["secrets"], "PROBE_KEY");
        assert_eq!(
            (&row["set"], &row["from"]),
            (&json!(secret.0), &json!(secret.1)),
            "{flags:?}"
        );
        assert_eq!(
            shown["output"],
            json!({"value": output_row.0, "from": output_row.1}),
            "{flags:?}"
        );
        assert_eq!(
            (&shown["env_file"]["path"], &shown["env_file"]["from"]),
            (&json!(env_file.0), &json!(env_file.1)),
            "{flags:?}"
        );
        assert_eq!(shown["profiles"], json!(["acme", "globex", "ring"]));
        assert_eq!(
            shown["tools"][0],
            json!({"path": at("descriptors"), "from": "--tools"})
        );
    }
    let shown = run(&workspace, &["config", "--profile=ring", "-o", "json"])
        .expect(0)
        .json();
    let row = find(&shown["secrets"], "PROBE_KEY");
    assert_eq!(
        (&row["set"], &row["from"]),
        (&Value::Null, &json!("toolrun-no-such-service/nobody"))
    );
    // A profile's own tools are found and trusted.
    let done = run(&workspace, &["call", "solo", "--profile=acme", "--dry-run"]).expect(0);
    assert!(done.stderr.is_empty(), "{}", done.stderr);
}

#[cfg(unix)]
#[test]
#[ignore = "long"]
fn a_file_of_secrets_that_others_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let workspace = workspace("https://api.probe.test");
    workspace.write("named.env", "PROBE_KEY=canary");
    let file = workspace.path().join("named.env");
    for (mode, is_open) in [
        (0o600, false),
        (0o400, false),
        (0o640, true),
        (0o604, true),
        (0o644, true),
        (0o620, false),
    ] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, permissions).unwrap();
        let shown = run(
            &workspace,
            &["config", "--env-file=named.env", "-o", "json"],
        );
        let shown = shown.expect(0).json();
        assert_eq!(shown["env_file"]["others_can_read"], is_open, "{mode:o}");
        let told = run(&workspace, &["config", "--env-file=named.env"]).expect(0);
        assert_eq!(told.stdout.contains("chmod 600"), is_open, "{mode:o}");
    }
    // There is nothing to read where there is no file.
    std::fs::remove_file(workspace.path().join(".env")).ok();
    let shown = run(&workspace, &["config", "-o", "json"]).expect(0).json();
    assert_eq!(shown["env_file"]["others_can_read"], false);
}

#[test]
fn config_is_for_people_and_pipes() {
    let workspace = workspace("https://api.probe.test");
    let done = run(&workspace, &["config", "--profile=acme"]).expect(0);
    let file = workspace.path().join("config/toolrun.toml");
    for line in [
        format!("file\t\t{}\t$TOOLRUN_CONFIG", file.display()),
        "profile\t\tacme\t--profile".to_owned(),
        "other profile\t\tglobex\t".to_owned(),
        "output\t\tyaml\tprofile acme".to_owned(),
        "setting\tprobe: region\tus\tprofile acme".to_owned(),
    ] {
        assert!(
            done.stdout.lines().any(|other| other == line),
            "{line:?} is not in {}",
            done.stdout
        );
    }
    assert!(!done.stdout.contains("canary"));
    // A line each where they fit, else two.
    for (columns, lines) in [(80, 2), (300, 1)] {
        let mut command = toolrun(&workspace);
        let (code, shown) = on_terminal_of(columns, command.args(["config", "--profile=acme"]));
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(code, 0, "{shown}");
        assert!(
            !shown.contains('\t') && !shown.contains("canary"),
            "{shown}"
        );
        let shown: Vec<&str> = shown.lines().collect();
        let found = shown.windows(lines).any(|lines| {
            let is_setting =
                lines[0].starts_with("setting probe") || lines[0].starts_with("setting ");
            is_setting && lines[lines.len() - 1].ends_with("profile acme")
        });
        assert!(found, "{columns}: {shown:#?}");
        let is_wide = shown.iter().any(|line| line.chars().count() > 80);
        assert_eq!(is_wide, columns > 80, "{shown:#?}");
    }
    let done = run(&workspace, &["config", "path"]).expect(0);
    assert_eq!(done.stdout, format!("{}\n", file.display()));
    let done = run(&workspace, &["config", "path", "-o", "json"]).expect(0);
    assert_eq!(done.json(), json!({ "path": file }));
    // The file need not be there to be named.
    let mut command = workspace.toolrun();
    command
        .args(["config", "path"])
        .env("XDG_CONFIG_HOME", "/nowhere")
        .env("HOME", "/nowhere");
    assert_eq!(
        output(&mut command).expect(0).stdout,
        "/nowhere/toolrun/toolrun.toml\n"
    );
}

#[test]
fn what_no_service_has_is_told() {
    let workspace = workspace("https://api.probe.test");
    configure(
        &workspace,
        "[profiles.a]\nsettings = { regoin = \"us\" }\nsecrets = { PROBE_KYE = { env = \"X\" } }\n",
    );
    let done = run(&workspace, &["config", "--profile=a"]).expect(0);
    for told in [
        "no service has the setting `regoin` of the profile a",
        "no service has the secret PROBE_KYE of the profile a",
    ] {
        assert!(
            done.stderr.contains(told),
            "{told:?} is not in {}",
            done.stderr
        );
    }
}
