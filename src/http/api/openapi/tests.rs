//! What the description says, and that it says all.

use std::collections::BTreeSet;

use super::*;

use crate::http::api::draft::FIELDS;

fn description() -> Value {
    document(&HttpSettings::for_tests())
}

#[test]
fn what_can_be_said_of_a_heartbeat_is_what_is_read() {
    let description = description();
    for name in ["NewHeartbeat", "WholeHeartbeat", "HeartbeatPatch"] {
        let properties = description["components"]["schemas"][name]["properties"].as_object().unwrap();
        let mut described: Vec<&str> = properties.keys().map(String::as_str).collect();
        if name != "NewHeartbeat" {
            // It can only be what the address says already.
            described.push("slug");
        }
        described.sort_unstable();
        let mut read = FIELDS.to_vec();
        read.sort_unstable();
        assert_eq!(described, read, "{name}");
    }
}

#[test]
fn every_field_parameter_and_answer_is_explained() {
    let description = description();
    let explained = |value: &Value, what: &str| {
        let own = value["description"].as_str().or(value["oneOf"][0]["description"].as_str());
        assert!(own.is_some_and(|text| text.ends_with(['.', ')'])), "{what} is not explained: {value}");
    };
    let schemas = description["components"]["schemas"].as_object().unwrap();
    assert!(schemas.len() > 20, "{}", schemas.len());
    for (name, schema) in schemas {
        explained(schema, name);
        // In what is sent, the parts are rules, which have no words.
        let parts = schema["allOf"].as_array().filter(|_| !REQUESTS.contains(&name.as_str()));
        let parts = parts.into_iter().flatten().chain([schema]);
        for (field, value) in parts.flat_map(|part| part["properties"].as_object().into_iter().flatten()) {
            explained(value, &format!("{name}.{field}"));
        }
    }
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 12, "{}", paths.len());
    let mut ids = BTreeSet::new();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{name}");
            assert!(ids.insert(operation["operationId"].to_string()), "{name}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                explained(parameter, &format!("{name} {}", parameter["name"]));
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                explained(response, &format!("{name} {status}"));
            }
        }
    }
}

#[test]
fn a_description_speaks_of_keys_only_when_there_are_some() {
    let mut settings = HttpSettings::for_tests();
    assert_eq!(document(&settings)["security"], Value::Null);
    let key =
        crate::config::ApiKey { name: "ops".to_owned(), hash: [7; 32], role: crate::config::Role::Read };
    settings.api_keys = vec![key];
    let document = document(&settings);
    assert_eq!(document["security"][1], json!({ "header": [] }));
    assert_eq!(document["components"]["securitySchemes"]["header"]["name"], "X-Api-Key");
    assert_eq!(document["openapi"], "3.1.0");
}
