//! Reading typed fields out of a body's tree, as forgivingly as real traffic needs (protocols.md, "What real
//! traffic looks like"), and noting every problem by its path instead of stopping at the first.
//!
//! A number may come as a string and a string as a number; an absent object may come as `""` or as JSON text;
//! unknown fields are ignored. An empty value counts as absent.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use baoqiao_domain::refusal::FieldProblem;

/// The longest text that any field may hold, in characters.
const MAX_TEXT_CHARS: usize = 2_000;
/// The most fields that a platform may extend an object by.
const MAX_OTHERS: usize = 100;
/// The longest key that names something for ever, in bytes.
const MAX_KEY_BYTES: usize = 128;

/// Whether a text may name something for ever: without control characters or blanks at its ends, and short enough for the
/// index of every database.
pub fn is_key(text: &str) -> bool {
    let fits = !text.is_empty() && text.len() <= MAX_KEY_BYTES && text.trim() == text;
    fits && !text.chars().any(char::is_control)
}

/// What is expected of such a text, in Chinese.
pub fn key_expected() -> String {
    format!("至多 {MAX_KEY_BYTES} 字节、首尾无空白、不含控制字符的文本")
}

/// The problems found so far, shared by all levels of one message.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<FieldProblem>>);

impl Problems {
    /// Notes one more.
    pub fn add(&self, problem: FieldProblem) {
        self.0.borrow_mut().push(problem);
    }

    fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// All of them, in the order in which they were found.
    pub fn into_vec(self) -> Vec<FieldProblem> {
        self.0.into_inner()
    }
}

/// One object of the message, and where it stands.
#[derive(Debug)]
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: &'a str,
    problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// The message's outermost object.
    pub fn root(object: &'a Map<String, Value>, problems: &'a Problems) -> Self {
        Self { object, path: "", problems }
    }

    fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The field as text, without blanks around it, which XML may have for its looks; `None` where it is absent, null,
    /// blank or not text (which is noted).
    pub fn text(&self, name: &str) -> Option<String> {
        let text = self.scalar(name)?;
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let length = text.chars().count();
        if length > MAX_TEXT_CHARS {
            let expected = format!("至多 {MAX_TEXT_CHARS} 个字符");
            self.problems.add(FieldProblem::wrong(self.path(name), format!("{length} 个字符"), expected));
            return None;
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
            self.problems.add(FieldProblem::wrong(self.path(name), "含控制字符的文本", "不含控制字符的文本"));
            return None;
        }
        Some(text.to_owned())
    }

    fn scalar(&self, name: &str) -> Option<Cow<'a, str>> {
        match self.object.get(name)? {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
            Value::Object(_) => {
                self.problems.add(FieldProblem::wrong(self.path(name), "对象", "文本"));
                None
            }
            Value::Array(_) => {
                self.problems.add(FieldProblem::wrong(self.path(name), "数组", "单个文本"));
                None
            }
        }
    }

    /// Whether the field says anything at all.
    fn is_absent(&self, name: &str) -> bool {
        match self.object.get(name) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.is_empty(),
            Some(_) => false,
        }
    }

    /// A required key: text without control characters or blanks at its ends, short enough to be kept for ever.
    pub fn required_key(&self, name: &str) -> Option<String> {
        self.required(name, &key_expected(), |text| is_key(text).then(|| text.to_owned()))
    }

    /// An optional field that `read` understands; `expected` says in Chinese what that is.
    pub fn optional<T>(&self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.scalar(name)?;
        let value = read(&text);
        if value.is_none() {
            self.problems.add(FieldProblem::wrong(self.path(name), text, expected));
        }
        value
    }

    /// As [`optional`](Self::optional), and noted when absent.
    pub fn required<T>(&self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if self.is_absent(name) {
            self.problems.add(FieldProblem::missing(self.path(name)));
            return None;
        }
        self.optional(name, expected, read)
    }

    /// A nested object, which may also come as JSON text; `None` where it is absent, empty or no object (noted).
    pub fn object<T>(&self, name: &str, read: impl FnOnce(&Fields<'_>) -> T) -> Option<T> {
        let path = self.path(name);
        let nested = |object: &Map<String, Value>| {
            (!object.is_empty()).then(|| read(&Fields { object, path: &path, problems: self.problems }))
        };
        let received = match self.object.get(name)? {
            Value::Null => return None,
            Value::Object(object) => return nested(object),
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                Ok(Value::Object(object)) => return nested(&object),
                Ok(Value::Null) => return None,
                _ => "不是 JSON 对象的文本",
            },
            Value::Array(_) => "数组",
            Value::Number(_) | Value::Bool(_) => "单个值",
        };
        self.problems.add(FieldProblem::wrong(&path, received, "对象"));
        None
    }

    /// As [`object`](Self::object), and noted when absent.
    pub fn required_object<T>(&self, name: &str, read: impl FnOnce(&Fields<'_>) -> T) -> Option<T> {
        let noted = self.problems.count();
        let value = self.object(name, read);
        if value.is_none() && self.problems.count() == noted {
            self.problems.add(FieldProblem::missing(self.path(name)));
        }
        value
    }

    /// A list of objects, which may also come as JSON text; empty where it is absent. What is no object is noted.
    pub fn objects<T>(&self, name: &str, read: impl Fn(&Fields<'_>) -> T) -> Vec<T> {
        let path = self.path(name);
        let each = |items: &[Value]| {
            let item = |(index, item): (usize, &Value)| {
                let path = format!("{path}[{index}]");
                let Value::Object(object) = item else {
                    self.problems.add(FieldProblem::wrong(&path, "非对象", "对象"));
                    return None;
                };
                Some(read(&Fields { object, path: &path, problems: self.problems }))
            };
            items.iter().enumerate().filter_map(item).collect()
        };
        match self.object.get(name) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => return each(items),
            Some(Value::String(text)) if text.trim().is_empty() => return Vec::new(),
            Some(Value::String(text)) => match serde_json::from_str::<Value>(text) {
                Ok(Value::Array(items)) => return each(&items),
                Ok(Value::Null) => return Vec::new(),
                _ => {}
            },
            Some(_) => {}
        }
        self.problems.add(FieldProblem::wrong(&path, "非数组", "对象的数组"));
        Vec::new()
    }

    /// The fields whose names are not among `known`: what has become of them when every spelling of a body comes to
    /// the same, so scalars as text, empty ones left out.
    pub fn others(&self, known: &[&str]) -> BTreeMap<String, Value> {
        let unknown = self.object.iter().filter(|(name, _)| !known.contains(&name.as_str()));
        let others: BTreeMap<String, Value> =
            unknown.filter_map(|(name, value)| Some((name.clone(), spelling_free(value)?))).collect();
        if others.len() > MAX_OTHERS {
            let expected = format!("至多 {MAX_OTHERS} 个扩展字段");
            self.problems.add(FieldProblem::wrong(self.path, format!("{} 个扩展字段", others.len()), expected));
            return BTreeMap::new();
        }
        others
    }
}

/// A value as XML would bring it; `None` where it would bring nothing.
fn spelling_free(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(flag.to_string().into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::String(text) => (!text.is_empty()).then(|| text.as_str().into()),
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(spelling_free).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(fields) => {
            let fields: Map<String, Value> =
                fields.iter().filter_map(|(name, value)| Some((name.clone(), spelling_free(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read<T>(tree: &Value, reader: impl FnOnce(&Fields<'_>) -> T) -> (T, Vec<String>) {
        let problems = Problems::default();
        let value = reader(&Fields::root(tree.as_object().unwrap(), &problems));
        (value, problems.into_vec().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn numbers_and_texts_stand_for_each_other() {
        let tree: Value = serde_json::from_str(r#"{"a":10.20,"b":"10.20","c":true}"#).unwrap();
        let (values, problems) = read(&tree, |f| [f.text("a"), f.text("b"), f.text("c"), f.text("d")]);
        assert_eq!(values, [Some("10.20".to_owned()), Some("10.20".to_owned()), Some("true".to_owned()), None]);
        assert!(problems.is_empty());
    }

    #[test]
    fn an_absent_object_comes_in_many_spellings() {
        let tree = json!({"a": "", "b": null, "c": {}, "d": "  ", "e": "{\"x\":\"1\"}", "f": {"x": 1}});
        let (values, problems) =
            read(&tree, |f| ["a", "b", "c", "d", "e", "f", "g"].map(|name| f.object(name, |inner| inner.text("x"))));
        let one = Some(Some("1".to_owned()));
        assert_eq!(values, [None, None, None, None, one.clone(), one, None]);
        assert!(problems.is_empty());
    }

    #[test]
    fn unknown_fields_are_the_same_in_every_spelling() {
        let json =
            json!({"known": 1, "n": 1, "t": "1", "e": "", "z": null, "o": {"x": 2, "y": ""}, "l": [1, ""], "u": {}});
        let xml = json!({"known": "1", "n": "1", "t": "1", "o": {"x": "2"}, "l": ["1"]});
        let (from_json, _) = read(&json, |f| f.others(&["known"]));
        let (from_xml, problems) = read(&xml, |f| f.others(&["known"]));
        assert_eq!(from_json, from_xml);
        assert!(problems.is_empty());
        let many: Map<String, Value> = (0..101).map(|n| (format!("x{n}"), "1".into())).collect();
        assert_eq!(read(&Value::Object(many), |f| f.others(&[])).1.len(), 1);
    }

    #[test]
    fn a_list_of_objects_is_read_one_by_one() {
        let tree = json!({"a": [{"x": 1}, {"x": "2"}], "b": "", "c": "[{\"x\":3}]", "d": [1], "e": {"x": 1}, "f": "x"});
        let (values, problems) = read(&tree, |f| {
            ["a", "b", "c", "d", "e", "f", "g"].map(|name| f.objects(name, |inner| inner.text("x")).len())
        });
        assert_eq!(values, [2, 0, 1, 0, 0, 0, 0]);
        assert_eq!(
            problems,
            ["d[0]：收到“非对象”，应为对象", "e：收到“非数组”，应为对象的数组", "f：收到“非数组”，应为对象的数组"]
        );
    }

    #[test]
    fn every_problem_is_noted_by_its_path() {
        let tree = json!({"who": {"type": "CAT", "name": {"x": 1}}, "list": [1], "long": "长".repeat(2_001), "flat": 3, "key": " a"});
        let ((), problems) = read(&tree, |f| {
            f.object("who", |who| {
                let _ = who.optional("type", "DOG", |text| (text == "DOG").then_some(()));
                who.text("name")
            });
            f.text("list");
            f.text("long");
            f.object("flat", |_| ());
            f.required_key("key");
            f.required_key("gone");
        });
        assert_eq!(
            problems,
            [
                "who.type：收到“CAT”，应为DOG",
                "who.name：收到“对象”，应为文本",
                "list：收到“数组”，应为单个文本",
                "long：收到“2001 个字符”，应为至多 2000 个字符",
                "flat：收到“单个值”，应为对象",
                "key：收到“ a”，应为至多 128 字节、首尾无空白、不含控制字符的文本",
                "gone：缺少，必填",
            ]
        );
    }
}
