//! Who somebody is here, by what a provider says of them.

use serde_json::{Map, Value};

use crate::console::role::Role;

/// How roles and names are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRules {
    /// The claim that tells what they are called.
    pub name_claim: String,
    /// The claim whose values give roles.
    pub role_claim: String,
    /// Each value that gives a role; exact, in the order of the configuration.
    pub roles: Vec<(String, Role)>,
}

/// The claim of that name, or what lies at that path of names with dots between, as in `realm_access.roles`.
fn claim<'a>(all: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = all.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    claim(all.get(first)?.as_object()?, rest)
}

impl PersonRules {
    /// What they may do: the most that any of the claim's values gives. A claim may be one text or a list.
    pub fn role(&self, all: &Map<String, Value>) -> Option<Role> {
        let given = |value: &Value| {
            let text = value.as_str()?;
            self.roles.iter().find(|(wanted, _)| wanted == text).map(|(_, role)| *role)
        };
        match claim(all, &self.role_claim)? {
            Value::Array(values) => values.iter().filter_map(given).max(),
            value => given(value),
        }
    }

    /// What they are called; by their subject where the provider does not say.
    pub fn known_as<'a>(&self, all: &'a Map<String, Value>, subject: &'a str) -> &'a str {
        claim(all, &self.name_claim).and_then(Value::as_str).filter(|name| !name.trim().is_empty()).unwrap_or(subject)
    }
}
