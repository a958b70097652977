//! Persons and companies that take part in a policy.
//!
//! They serialise under the names of the issuing document, so that what is stored reads like what was sent.
//! Their values are personal data: they leave the process only sealed.

use serde::{Deserialize, Serialize};

/// A person's document, from `personLicenseType` of the issuing document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PersonLicense {
    /// 阿里 ID: an account of the platform, not a document of the state.
    Ali,
    /// 身份证: resident identity card.
    IdentityCard,
    /// 护照: passport.
    Passport,
}

impl PersonLicense {
    /// What the field may say.
    pub const EXPECTED: &str = "ALI、IDENTITY_CARD 或 PASSPORT";

    /// Reads the document's code.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "ALI" => Some(Self::Ali),
            "IDENTITY_CARD" => Some(Self::IdentityCard),
            "PASSPORT" => Some(Self::Passport),
            _ => None,
        }
    }

    /// The Chinese name, for documents.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ali => "阿里ID",
            Self::IdentityCard => "居民身份证",
            Self::Passport => "护照",
        }
    }
}

/// A company's document, from `companyLicenseType` of the issuing document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CompanyLicense {
    /// 统一社会信用代码: unified social credit code.
    Unity,
    /// 工商注册号: business registration number.
    General,
}

impl CompanyLicense {
    /// What the field may say.
    pub const EXPECTED: &str = "UNITY 或 GENERAL";

    /// Reads the document's code.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "UNITY" => Some(Self::Unity),
            "GENERAL" => Some(Self::General),
            _ => None,
        }
    }

    /// The Chinese name, for documents.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unity => "统一社会信用代码",
            Self::General => "工商注册号",
        }
    }
}

/// A person, as holder or insured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// 姓名.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_name: Option<String>,
    /// 证件号类型.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_license_type: Option<PersonLicense>,
    /// 证件号.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_license_no: Option<String>,
    /// 电话.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_phone: Option<String>,
    /// 邮箱.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_email: Option<String>,
    /// 地址.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_address: Option<String>,
    /// The platform's id of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// A company, as holder or insured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Company {
    /// 公司名称.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_name: Option<String>,
    /// 公司证件号类型.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_license_type: Option<CompanyLicense>,
    /// 公司证件号.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_license_no: Option<String>,
    /// 电话.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_phone: Option<String>,
    /// 邮箱.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_email: Option<String>,
    /// 地址.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_address: Option<String>,
    /// 法人姓名.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_person_name: Option<String>,
    /// 法人证件号.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_person_license_no: Option<String>,
    /// The platform's id of the company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// What a person is looked up by in the blind index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PersonKeyKind {
    /// A document's number, of a person, a company or its legal person.
    LicenseNo,
    /// A telephone number.
    Phone,
    /// The whole name of a person or company.
    Name,
}

/// A value by which a party is found again, spelt so that two spellings of one number are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonKey {
    /// What kind of value it is.
    pub kind: PersonKeyKind,
    /// A number without blanks and hyphens, letters in upper case, a phone without the country code 86; a name with its
    /// letters in upper case, full-width ones as narrow ones, single blanks within
    /// where it has Latin letters, and none elsewhere.
    pub value: String,
}

impl PersonKey {
    /// The key of a document's number; `None` for an empty one.
    pub fn license_no(text: &str) -> Option<Self> {
        let value = compact(text);
        (!value.is_empty()).then_some(Self { kind: PersonKeyKind::LicenseNo, value })
    }

    /// The key of a telephone number; `None` for an empty one.
    pub fn phone(text: &str) -> Option<Self> {
        let compact = compact(text);
        let digits = compact.trim_start_matches('+');
        let local = match digits.strip_prefix("86") {
            Some(mobile) if mobile.len() == 11 => mobile,
            _ => digits,
        };
        (!local.is_empty()).then_some(Self { kind: PersonKeyKind::Phone, value: local.to_owned() })
    }

    /// The key of a whole name; `None` for an empty one. The dots that stand between the parts of a name, which
    /// platforms write in many ways, are one.
    pub fn name(text: &str) -> Option<Self> {
        let narrow = text.chars().map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            '\u{2022}' | '\u{2027}' | '\u{30fb}' | '\u{ff65}' | '\u{22c5}' => '\u{b7}',
            _ => c,
        });
        let upper: String = narrow.flat_map(char::to_uppercase).collect();
        // Chinese names are written with and without blanks between their parts.
        let between = if upper.bytes().any(|byte| byte.is_ascii_alphabetic()) { " " } else { "" };
        let value = upper.split_whitespace().collect::<Vec<_>>().join(between);
        (!value.is_empty()).then_some(Self { kind: PersonKeyKind::Name, value })
    }
}

fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_uppercase).collect()
}

impl Person {
    /// The numbers and the name by which the person is found again.
    pub fn keys(&self) -> impl Iterator<Item = PersonKey> {
        let license = self.person_license_no.as_deref().and_then(PersonKey::license_no);
        let phone = self.person_phone.as_deref().and_then(PersonKey::phone);
        let name = self.person_name.as_deref().and_then(PersonKey::name);
        license.into_iter().chain(phone).chain(name)
    }
}

impl Company {
    /// The numbers and names by which the company and its legal person are found again.
    pub fn keys(&self) -> impl Iterator<Item = PersonKey> {
        let licenses = [&self.company_license_no, &self.legal_person_license_no];
        let phone = self.company_phone.as_deref().and_then(PersonKey::phone);
        let names = [&self.company_name, &self.legal_person_name];
        let names = names.into_iter().flatten().filter_map(|name| PersonKey::name(name));
        licenses.into_iter().flatten().filter_map(|no| PersonKey::license_no(no)).chain(phone).chain(names)
    }
}

const SHOWN_FIRST: usize = 3;
const SHOWN_LAST: usize = 2;

/// A document number as a reader without the right to the whole may see it: the first three and last two
/// characters, or only the length of one that is too short to hide at least three between them.
pub fn masked(number: &str) -> String {
    let length = number.chars().count();
    let hides_enough = length >= SHOWN_FIRST + SHOWN_LAST + 3;
    let shown = |index: usize| hides_enough && (index < SHOWN_FIRST || index >= length - SHOWN_LAST);
    number.chars().enumerate().map(|(index, c)| if shown(index) { c } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_a_number_are_one_key() {
        assert_eq!(PersonKey::phone("+86 139-1231-2323"), PersonKey::phone("13912312323"));
        assert_eq!(PersonKey::license_no("11010119900307123x"), PersonKey::license_no("110101 19900307 123X"));
        assert_ne!(PersonKey::license_no("13912312323"), PersonKey::phone("13912312323"));
        assert_eq!(PersonKey::phone("  "), None);
        assert_eq!(PersonKey::name(" 阿依古丽•买买提 "), PersonKey::name("阿依古丽·买买提"));
        assert_eq!(PersonKey::name("Li  Ｓi"), PersonKey::name("LI SI"));
        assert_eq!(PersonKey::name("张 𬭎三"), PersonKey::name("张𬭎三"));
        assert_ne!(PersonKey::name("𠮷田"), PersonKey::name("吉田"));
        assert_eq!(PersonKey::name("\u{3000}"), None);
    }

    #[test]
    fn a_masked_number_tells_neither_middle_nor_a_short_whole() {
        assert_eq!(masked("3321231232312342432"), "332**************32");
        assert_eq!(masked("12345"), "*****");
        assert_eq!(masked("阿里身份证号码八九十"), "阿里身*****九十");
    }
}
