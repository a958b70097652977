//! The console's two languages. A message is written in both at once: one that lacks a translation does not compile, and
//! each catalogue tests that its two halves fit.

use std::fmt::Display;

/// A language of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Language {
    /// 中文, unless somebody asks for the other.
    #[default]
    Chinese,
    /// English.
    English,
}

impl Language {
    /// The tag in HTML and in the cookie.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// What its speakers call it.
    pub(super) fn own_name(self) -> &'static str {
        match self {
            Self::Chinese => "中文",
            Self::English => "English",
        }
    }

    /// The language of that tag.
    pub(super) fn from_tag(tag: &str) -> Option<Self> {
        [Self::Chinese, Self::English].into_iter().find(|language| language.tag() == tag)
    }

    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Chinese => Self::English,
            Self::English => Self::Chinese,
        }
    }
}

/// A text in both languages; `{}` stands where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    /// 中文.
    pub(super) zh: &'static str,
    /// English.
    pub(super) en: &'static str,
}

impl Message {
    /// The text in that language.
    pub(super) fn in_language(self, language: Language) -> &'static str {
        match language {
            Language::Chinese => self.zh,
            Language::English => self.en,
        }
    }

    /// The text in that language, with the values in the places of `{}`, in their order.
    pub(super) fn with(self, language: Language, values: &[&dyn Display]) -> String {
        let mut pieces = self.in_language(language).split("{}");
        let mut text = pieces.next().unwrap_or_default().to_owned();
        let mut values = values.iter();
        for piece in pieces {
            text.push_str(&values.next().map(ToString::to_string).unwrap_or_default());
            text.push_str(piece);
        }
        text
    }

    /// What is wrong with it as a pair of translations.
    #[cfg(test)]
    pub(super) fn fault(self) -> Option<&'static str> {
        let is_chinese = |c: char| ('\u{2e80}'..='\u{9fff}').contains(&c) || ('\u{ff00}'..='\u{ffef}').contains(&c);
        let holes = |text: &str| text.matches("{}").count();
        if self.zh.trim().is_empty() || self.en.trim().is_empty() {
            Some("one half is empty")
        } else if holes(self.zh) != holes(self.en) {
            Some("the halves have not as many values")
        } else if self.en.chars().any(is_chinese) {
            Some("the English half has Chinese in it")
        } else if self.zh.is_ascii() && self.zh != self.en {
            Some("the Chinese half has no Chinese in it")
        } else {
            None
        }
    }
}

/// The messages of one file: constants `NAME: "中文", "English";`.
macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident: $zh:literal, $en:literal;)*) => {
        $($(#[$meta])* const $name: $crate::http::console::language::Message =
            $crate::http::console::language::Message { zh: $zh, en: $en };)*

        #[cfg(test)]
        mod messages {
            #[test]
            fn every_message_says_the_same_in_both_languages() {
                for (name, message) in [$((stringify!($name), super::$name)),*] {
                    assert_eq!(message.fault(), None, "{name}");
                }
            }
        }
    };
}

pub(super) use messages;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_where_they_belong_and_faults_are_found() {
        let message = Message { zh: "共 {} 条，第 {} 页", en: "{} in all, page {}" };
        assert_eq!(message.with(Language::Chinese, &[&7, &"一"]), "共 7 条，第 一 页");
        assert_eq!(message.with(Language::English, &[&7, &1]), "7 in all, page 1");
        assert_eq!(message.fault(), None);
        assert!(Message { zh: "共 {} 条", en: "in all" }.fault().is_some());
        assert!(Message { zh: "all", en: "in all" }.fault().is_some());
        assert!(Message { zh: "全部", en: "全部" }.fault().is_some());
        assert_eq!(Message { zh: "PDF", en: "PDF" }.fault(), None);
        assert_eq!(Language::from_tag("en"), Some(Language::English));
        assert_eq!(Language::from_tag("fr"), None);
    }
}
