//! The RFC 9535 compliance suite (https://github.com/jsonpath-standard/jsonpath-compliance-test-suite), which is not
//! shipped: `JSONPATH_COMPLIANCE_SUITE` names its `cts.json`.

use std::io::Write;

use serde_json::Value;
use toolrun::internals::JsonPath;

#[test]
fn passes_the_compliance_suite() {
    let Ok(path) = std::env::var("JSONPATH_COMPLIANCE_SUITE") else {
        // Not with `eprintln`, because the test runner hides its output when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: JSONPATH_COMPLIANCE_SUITE is not set"
        );
        return;
    };
    let text = std::fs::read_to_string(&path).expect("the suite can be read");
    let suite: Value = serde_json::from_str(&text).expect("the suite is JSON");
    let cases = suite["tests"].as_array().expect("the suite has tests");
    let failures: Vec<String> = cases.iter().filter_map(failure).collect();
    eprintln!("{} of {} pass", cases.len() - failures.len(), cases.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn failure(case: &Value) -> Option<String> {
    let selector = case["selector"].as_str()?;
    let name = &case["name"];
    match JsonPath::parse(selector) {
        Ok(_) if case["invalid_selector"] == true => Some(format!("{name} {selector:?}: accepted")),
        Err(error) if case["invalid_selector"] != true => {
            Some(format!("{name} {selector:?}: {error}"))
        }
        Err(_) => None,
        Ok(path) => {
            let found: Vec<Value> = path.all(&case["document"]).into_iter().cloned().collect();
            let first_agrees = path.first(&case["document"]) == found.first();
            let found = Value::Array(found);
            let expected = match case["results"].as_array() {
                Some(results) => results.contains(&found),
                None => case["result"] == found,
            };
            (!expected || !first_agrees).then(|| format!("{name} {selector:?}: {found}"))
        }
    }
}
