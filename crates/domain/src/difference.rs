//! Which fields of two contents differ.

use serde_json::Value;

/// A field that two contents give differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The path in the document's names, such as `applicantPersonalInfo.personName`.
    pub path: String,
    /// What the first said, `None` where it said nothing.
    pub first: Option<Value>,
    /// What the second said, `None` where it said nothing.
    pub second: Option<Value>,
}

/// Every leaf that differs, in the order of their paths.
pub fn differences(first: &Value, second: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", Some(first), Some(second), &mut found);
    found
}

fn compare(path: &str, first: Option<&Value>, second: Option<&Value>, found: &mut Vec<Difference>) {
    let empty = serde_json::Map::new();
    let (a, b) = match (first, second) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => (a, b),
        (Some(Value::Object(a)), None) => (a, &empty),
        (None, Some(Value::Object(b))) => (&empty, b),
        _ if first == second => return,
        _ => {
            found.push(Difference { path: path.to_owned(), first: first.cloned(), second: second.cloned() });
            return;
        }
    };
    let mut names: Vec<&String> = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))).collect();
    names.sort_unstable();
    for name in names {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        compare(&inner, a.get(name), b.get(name), found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leaves_are_named_by_their_paths() {
        let first = json!({"amount": "1", "who": {"name": "张三", "phone": "1"}, "gone": {"x": "1"}});
        let second = json!({"amount": "2", "who": {"name": "张三", "mail": "m"}});
        let paths: Vec<String> = differences(&first, &second).into_iter().map(|d| d.path).collect();
        assert_eq!(paths, ["amount", "gone.x", "who.mail", "who.phone"]);
        assert_eq!(differences(&first, &first), []);
    }
}
