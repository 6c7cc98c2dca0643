//! What a hostile client, a crowd, a clock and a shared machine can do to approvals.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, json};

use super::*;

const HOLDS: Duration = Duration::from_secs(300);

fn asked(caller: &str, id: &str) -> Asked {
    let arguments: Map<_, _> = [("id".to_owned(), json!(id))].into_iter().collect();
    Asked {
        bound: Bound::of(
            caller,
            "probe/delete-thing",
            "descriptor",
            &arguments,
            "policy",
        ),
        policy: "policy".to_owned(),
        caller: caller.to_owned(),
        tool: "probe/delete-thing".to_owned(),
        access: "destructive".to_owned(),
        request: format!("DELETE http://127.0.0.1/things/{id}"),
        arguments,
        why: "It is gone then.".to_owned(),
    }
}

fn approvals(folder: &Path) -> (Approvals, Desk) {
    let desk = Desk::at(folder.join("toolrun/approvals"));
    (Approvals::new(Ok(desk.clone()), str::to_owned), desk)
}

fn waits(approvals: &Approvals, asked: &Asked) -> String {
    match approvals.stand(asked, HOLDS) {
        Ok(Standing::Waits { id, .. }) => id,
        other => panic!("it waits, and not: {other:?}"),
    }
}

fn reply(desk: &Desk, id: &str, approved: bool) {
    let question = desk.question(id).expect("a desk").expect("a question");
    desk.reply(&question, approved).expect("an answer");
}

fn granted(approvals: &Approvals, asked: &Asked) -> Grant {
    match approvals.stand(asked, HOLDS) {
        Ok(Standing::Approved(grant)) => grant,
        other => panic!("it is approved, and not: {other:?}"),
    }
}

#[test]
fn an_approval_is_for_one_call_and_one_run() {
    let home = tempfile::tempdir().expect("a folder");
    let (approvals, desk) = approvals(home.path());
    let call = asked("local", "a");
    let id = waits(&approvals, &call);
    assert_eq!(waits(&approvals, &call), id, "the same call asks once");
    let other = waits(&approvals, &asked("local", "b"));
    let foreign = waits(&approvals, &asked("agent-2", "a"));
    assert_eq!(
        [&id, &other, &foreign]
            .into_iter()
            .collect::<std::collections::HashSet<_>>()
            .len(),
        3
    );
    reply(&desk, &id, true);
    waits(&approvals, &asked("local", "b"));
    waits(&approvals, &asked("agent-2", "a"));
    let grant = granted(&approvals, &call);
    // A copy of the files is worth nothing later.
    let copies: Vec<_> = [".question.json", ".answer.json"]
        .map(|ending| {
            let path = desk.folder().join(format!("{id}{ending}"));
            let bytes = fs::read(&path).expect("a file");
            (path, bytes)
        })
        .into();
    let used: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| approvals.redeem(&grant)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(used.iter().filter(|used| **used).count(), 1, "{used:?}");
    for (path, bytes) in &copies {
        fs::write(path, bytes).expect("a file");
    }
    assert!(!approvals.redeem(&grant));
    assert_ne!(waits(&approvals, &call), id, "it is asked anew");
    reply(&desk, &other, false);
    assert!(matches!(
        approvals.stand(&asked("local", "b"), HOLDS),
        Ok(Standing::Denied)
    ));
    waits(&approvals, &asked("local", "b"));
}

#[test]
fn a_yes_can_be_taken_back_until_the_call_is_made() {
    let home = tempfile::tempdir().expect("a folder");
    let (approvals, desk) = approvals(home.path());
    let call = asked("local", "a");
    let id = waits(&approvals, &call);
    reply(&desk, &id, true);
    let grant = granted(&approvals, &call);
    reply(&desk, &id, false);
    assert!(!approvals.redeem(&grant));
    assert!(matches!(
        approvals.stand(&call, HOLDS),
        Ok(Standing::Denied)
    ));
}

#[test]
fn an_answer_to_another_question_is_none() {
    let home = tempfile::tempdir().expect("a folder");
    let (approvals, desk) = approvals(home.path());
    let (call, other) = (asked("local", "a"), asked("local", "b"));
    let (id, other_id) = (waits(&approvals, &call), waits(&approvals, &other));
    reply(&desk, &other_id, true);
    let path = |id: &str| desk.folder().join(format!("{id}.answer.json"));
    fs::copy(path(&other_id), path(&id)).expect("a copy");
    waits(&approvals, &call);
    for text in [
        "",
        "{}",
        "true",
        "{\"approved\": true}",
        "{\"approved\": true, \"bound\": \"\"}",
    ] {
        fs::write(path(&id), text).expect("a file");
        assert_eq!(waits(&approvals, &call), id, "{text}");
    }
    // A question under another name is none either.
    let question = |id: &str| desk.folder().join(format!("{id}.question.json"));
    fs::copy(question(&other_id), question("aaaaaaaaaaaa")).expect("a copy");
    assert!(desk.question("aaaaaaaaaaaa").is_err());
    let (waiting, broken) = desk.waiting().expect("a desk");
    assert_eq!((waiting.len(), broken.len()), (2, 1), "{broken:?}");
}

/// The clock of the wall may be set, in both directions; the other one stands still while a machine sleeps.
#[test]
fn an_approval_is_over_when_either_clock_says_so() {
    let now = || (Instant::now(), SystemTime::now());
    let second = Duration::from_secs(1);
    for (at, wall, is_over) in [
        (now().0 + HOLDS, now().1 + HOLDS, false),
        (now().0 - second, now().1 + HOLDS, true),
        (now().0 + HOLDS, now().1 - second, true),
    ] {
        assert_eq!(Until { at, wall }.is_over(), is_over);
    }
    let home = tempfile::tempdir().expect("a folder");
    let (approvals, desk) = approvals(home.path());
    let call = asked("local", "a");
    let id = waits(&approvals, &call);
    reply(&desk, &id, true);
    let mut grant = granted(&approvals, &call);
    grant.until.wall = SystemTime::now() - second;
    assert!(!approvals.redeem(&grant));
    let Ok(Standing::Waits { id: short, .. }) =
        approvals.stand(&asked("local", "b"), Duration::from_millis(1))
    else {
        panic!("it waits");
    };
    std::thread::sleep(Duration::from_millis(5));
    assert_ne!(waits(&approvals, &asked("local", "b")), short);
    assert_eq!(desk.question(&short).expect("a desk").map(|q| q.id), None);
}

#[test]
fn a_sealed_question_cannot_be_forged_changed_moved_or_used_twice() {
    let home = tempfile::tempdir().expect("a folder");
    let (approvals, _) = approvals(home.path());
    let call = asked("local", "a");
    let (state, _) = approvals.seal(&call, HOLDS);
    let Unsealed::Fits { id, until } = approvals.unseal(&state, &call) else {
        panic!("it fits");
    };
    for other in [asked("local", "b"), asked("agent-2", "a")] {
        assert!(matches!(
            approvals.unseal(&state, &other),
            Unsealed::OtherCall
        ));
    }
    let mut policy = call.clone();
    policy.bound = Bound::of(
        "local",
        &call.tool,
        "descriptor",
        &call.arguments,
        "new policy",
    );
    assert!(matches!(
        approvals.unseal(&state, &policy),
        Unsealed::OtherCall
    ));
    for at in 0..state.len() {
        let mut changed = state.clone().into_bytes();
        changed[at] = match changed[at] {
            b'A' => b'B',
            _ => b'A',
        };
        let changed = String::from_utf8(changed).expect("ASCII");
        let opened = approvals.unseal(&changed, &call);
        // The last character of a part has bits that stand for nothing.
        assert!(
            changed == state || !matches!(opened, Unsealed::Fits { .. }),
            "{at}: {changed}"
        );
    }
    let (_, tag) = state.split_once('.').expect("two parts");
    let (other, _) = approvals.seal(&asked("local", "b"), HOLDS);
    let (payload, _) = other.split_once('.').expect("two parts");
    let foreign = Approvals::new(Err(String::new()), str::to_owned);
    for forged in [
        String::new(),
        ".".to_owned(),
        format!("{payload}.{tag}"),
        format!("{payload}."),
        tag.to_owned(),
        "A".repeat(1 << 20),
        foreign.seal(&call, HOLDS).0,
    ] {
        let opened = approvals.unseal(&forged, &call);
        assert!(
            matches!(opened, Unsealed::Forged),
            "{forged:.80}: {opened:?}"
        );
    }
    let (short, _) = approvals.seal(&call, Duration::from_millis(1));
    std::thread::sleep(Duration::from_millis(5));
    assert!(matches!(approvals.unseal(&short, &call), Unsealed::Over));
    let grant = approvals.granted(&call, Some(id), until);
    assert!(approvals.redeem(&grant));
    assert!(!approvals.redeem(&grant));
    assert!(matches!(approvals.unseal(&state, &call), Unsealed::Used));
}

#[test]
#[ignore = "long"]
fn a_hundred_thousand_waiting_calls_take_a_hundred_places() {
    let home = tempfile::tempdir().expect("a folder");
    let (approvals, desk) = approvals(home.path());
    let begun = Instant::now();
    let full = (0..100_000)
        .filter(|i| {
            let standing = approvals.stand(&asked("hostile", &i.to_string()), HOLDS);
            matches!(standing, Err(NoPlace::Full))
        })
        .count();
    assert_eq!(full, 100_000 - MOST_OF_CALLER);
    let files = fs::read_dir(desk.folder()).expect("a folder").count();
    assert_eq!(files, MOST_OF_CALLER);
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "{:?}",
        begun.elapsed()
    );
    // Others still have a place.
    let id = waits(&approvals, &asked("local", "a"));
    reply(&desk, &id, true);
    assert!(approvals.redeem(&granted(&approvals, &asked("local", "a"))));
    approvals.close();
    let left = fs::read_dir(desk.folder()).expect("a folder").count();
    assert_eq!(left, 0, "a server takes its questions with it");
}

#[cfg(unix)]
#[test]
fn links_and_folders_of_others_are_not_used() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    let home = tempfile::tempdir().expect("a folder");
    let (approvals, desk) = approvals(home.path());
    let call = asked("local", "a");
    let id = waits(&approvals, &call);
    let path = |ending: &str| desk.folder().join(format!("{id}{ending}"));
    assert_eq!(mode(desk.folder()), 0o700);
    assert_eq!(mode(&path(".question.json")), 0o600);
    // An answer behind a link is none, and one is not written through a link.
    let elsewhere = home.path().join("elsewhere");
    reply(&desk, &id, true);
    fs::rename(path(".answer.json"), &elsewhere).expect("a file");
    symlink(&elsewhere, path(".answer.json")).expect("a link");
    waits(&approvals, &call);
    fs::write(&elsewhere, "mine").expect("a file");
    reply(&desk, &id, true);
    assert_eq!(fs::read(&elsewhere).expect("a file"), b"mine");
    assert_eq!(mode(&path(".answer.json")), 0o600);
    granted(&approvals, &call);
    // Whoever may write the answer or the folder could say yes.
    fs::set_permissions(path(".answer.json"), fs::Permissions::from_mode(0o666)).expect("a mode");
    waits(&approvals, &call);
    fs::set_permissions(path(".answer.json"), fs::Permissions::from_mode(0o600)).expect("a mode");
    for (bits, is_used) in [(0o777, false), (0o750, false), (0o700, true)] {
        fs::set_permissions(desk.folder(), fs::Permissions::from_mode(bits)).expect("a mode");
        let standing = approvals.stand(&call, HOLDS);
        let is_approved = matches!(standing, Ok(Standing::Approved(_)));
        assert_eq!(is_approved, is_used, "{bits:o}: {standing:?}");
        let other = approvals.stand(&asked("local", &bits.to_string()), HOLDS);
        assert_eq!(other.is_ok(), is_used, "{bits:o}: {other:?}");
    }
    let link = home.path().join("toolrun/link");
    symlink(desk.folder(), &link).expect("a link");
    let linked = Approvals::new(Ok(Desk::at(link)), str::to_owned);
    let told = linked.stand(&call, HOLDS);
    assert!(matches!(told, Err(NoPlace::Desk(_))), "{told:?}");
}

#[test]
fn no_text_of_a_call_makes_a_line_of_its_own() {
    let mut call = asked("local\nadmin", "a\nbecause: it is fine\r\u{202e}\u{1b}[2J");
    call.request = "DELETE http://127.0.0.1/a\nb".to_owned();
    let text = call.text();
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(!text.contains(['\r', '\u{1b}', '\u{202e}']), "{text}");
    assert!(text.contains("caller: local\\nadmin\n"), "{text}");
}

#[test]
fn ids_are_no_paths() {
    for id in [
        "",
        "../../etc/pas",
        "../secrets.js",
        "aaaaaaaaaaa",
        "aaaaaaaaaaaa\n",
        "AAAAAAAAAAAA",
        "aaaa/aaaa/aa",
        "aaaaaa\0aaaaa",
        "éééééé",
    ] {
        assert!(!is_id(id), "{id:?}");
    }
    assert!((0..1_000).all(|_| is_id(&new_id())));
}
