//! Suspects and secrets in words, in both languages. No word holds a secret or a parameter's value.

use super::bodies::{BodyChange, JsonStyle};
use super::material::{Scope, SignedCharset, Source};
use super::recipe::Decoding;
use super::search::Cause;
use super::secrets::{SecretName, Slip};
use super::signing::{LeftOut, Part, Signing};
use super::suspect::Suspect;
use crate::rule::Rule;

/// The longest name of a parameter that is shown whole: what strangers send may be anything.
const NAME_CHARS: usize = 64;
/// How many suspects are told that come to the same thing.
const ALTERNATIVES: usize = 2;
/// How many names are listed.
const NAMES_LISTED: usize = 20;

/// The same in Chinese and in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Words {
    pub(crate) fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// For whose eyes something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Our own people: secrets are told by whose they are.
    Ourselves,
    /// The other side: it is not told whom else we know.
    OtherSide,
}

/// A name on one line, without control characters and not longer than a name is.
pub(crate) fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(NAME_CHARS).flat_map(visible).collect();
    if name.chars().nth(NAME_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

fn visible(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = escaped.is_none().then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

/// Names in a row.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Words {
    let names: Vec<String> = names.map(shown).collect();
    let (told, rest) = names.split_at(names.len().min(NAMES_LISTED));
    let more = |word: &str| if rest.is_empty() { String::new() } else { format!("{word}{}", rest.len()) };
    Words::new(told.join("、") + &more("……共另 "), told.join(", ") + &more(" and others: "))
}

impl SecretName {
    /// What to call it.
    pub fn words(&self, audience: Audience) -> Words {
        if audience == Audience::OtherSide {
            return match self {
                Self::Live { .. } | Self::Outgoing { .. } => {
                    Words::new("另一应用的密钥", "the secret of another application")
                }
                Self::Previous { .. } => Words::new("已停用的旧密钥", "a previous secret that is no longer in use"),
                Self::Sandbox { .. } => Words::new("沙箱环境的密钥", "the sandbox's secret"),
                Self::Given => Words::new("密钥", "the secret"),
                Self::Slip(slip) => slip.words(),
            };
        }
        match self {
            Self::Live { owner, count: 1, .. } => {
                Words::new(format!("{owner} 的密钥"), format!("the secret of {owner}"))
            }
            Self::Live { owner, number, count } => Words::new(
                format!("{owner} 的第 {number} 个密钥（共 {count} 个）"),
                format!("secret {number} of {count} of {owner}"),
            ),
            Self::Previous { owner } => {
                Words::new(format!("{owner} 已停用的旧密钥"), format!("a previous secret of {owner}"))
            }
            Self::Sandbox { owner } => {
                Words::new(format!("{owner} 沙箱环境的密钥"), format!("the sandbox's secret of {owner}"))
            }
            Self::Outgoing { owner } => Words::new(
                format!("我方调用平台 {owner} 所用的密钥"),
                format!("the secret with which we call the platform {owner}"),
            ),
            Self::Given => Words::new("所给的密钥", "the given secret"),
            Self::Slip(slip) => slip.words(),
        }
    }
}

impl Slip {
    fn words(self) -> Words {
        let (zh, en) = match self {
            Self::LineBreak => ("末尾多了一个换行符的密钥", "the secret with a line break at its end"),
            Self::Blank => ("末尾多了一个空格的密钥", "the secret with a blank at its end"),
            Self::Quotes => ("连引号一起的密钥", "the secret with its quotes"),
            Self::AppKey => ("app_key（被当作密钥）", "the app_key in place of the secret"),
            Self::Empty => ("空的密钥", "an empty secret"),
        };
        Words::new(zh, en)
    }
}

impl Source {
    /// What to call it.
    pub fn words(self) -> Words {
        match self {
            Self::Header => Words::new("请求头", "header"),
            Self::Form => Words::new("表单", "form"),
            Self::Query => Words::new("查询串", "query"),
        }
    }
}

impl LeftOut {
    /// Why, in words.
    pub fn words(self) -> Words {
        match self {
            Self::IsSignature => Words::new("即签名本身", "it is the signature"),
            Self::Overridden => Words::new("同名参数以后出现的为准", "the same name comes again, and the last counts"),
            Self::Empty => Words::new("空值，调用方规则不签", "empty, and callers leave that out"),
            Self::CallersSignNoHeader => Words::new("请求头，调用方规则不签", "a header, and callers sign none"),
        }
    }
}

impl Cause {
    /// What was done, in words.
    pub fn words(&self, signing: &Signing, audience: Audience) -> Words {
        let what = self.suspect.what(signing, audience);
        let told = self.or_equally.iter().filter(|other| !other.is_like(&self.suspect)).take(ALTERNATIVES);
        let others: Vec<Words> = told.map(|other| other.what(signing, audience)).collect();
        if others.is_empty() {
            return what;
        }
        let join = |language: fn(&Words) -> &str, by: &str| others.iter().map(language).collect::<Vec<_>>().join(by);
        Words::new(
            format!("{}（对本报文等同于：{}）", what.zh, join(|words| &words.zh, "；")),
            format!("{} (with this message the same as: {})", what.en, join(|words| &words.en, "; ")),
        )
    }

    /// What to do about it, in words.
    pub fn remedy(&self, signing: &Signing) -> Words {
        self.suspect.remedy(signing)
    }
}

impl Suspect {
    /// Whether it is another shade of the same, of which telling one is enough.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Body(BodyChange::Json(_)), Self::Body(BodyChange::Json(_))) => true,
            (Self::Charset(_, one), Self::Charset(_, other)) => one == other,
            _ => false,
        }
    }

    fn what(&self, signing: &Signing, audience: Audience) -> Words {
        match self {
            Self::Secret { name, .. } => {
                let Words { zh, en } = name.words(audience);
                Words::new(format!("签名用的是{zh}"), format!("it was signed with {en}"))
            }
            Self::Method(method) => Words::new(
                format!("签名方法用的是 {method}，而按报文应为 {}", signing.method),
                format!("it was signed by {method}, where the message says {}", signing.method),
            ),
            Self::MissingTail => Words::new("MD5 的末尾没有拼上密钥", "the secret is missing at the end of the MD5"),
            Self::MissingHead => {
                Words::new("MD5 的开头没有拼上密钥", "the secret is missing at the beginning of the MD5")
            }
            Self::EmptyLeftOut => {
                let Words { zh, en } = listed(empty(signing));
                Words::new(
                    format!("空值参数没有参加签名：{zh}"),
                    format!("parameters with an empty value were left out: {en}"),
                )
            }
            Self::EmptySigned => {
                let Words { zh, en } = listed(
                    signing
                        .left_out
                        .iter()
                        .filter_map(|(part, why)| (*why == LeftOut::Empty).then_some(part.name.as_str())),
                );
                Words::new(
                    format!("空值参数参加了签名：{zh}"),
                    format!("parameters with an empty value took part: {en}"),
                )
            }
            Self::HeadersLeftOut | Self::HeadersSigned => self.about_headers(signing),
            Self::OtherRule(Rule::Caller) => Words::new(
                "按调用方（TOP）规则签名：空值参数和请求头都没有参加",
                "it was signed by the caller's rule, that of TOP: without empty values and without headers",
            ),
            Self::OtherRule(Rule::Receiver) => Words::new(
                "按接收方（奇门）规则签名：空值参数和 top-sign-list 所列请求头都参加了",
                "it was signed by the receiver's rule, that of Qimen: with empty values and the headers of top-sign-list",
            ),
            Self::LeftOut(name) => {
                let name = shown(&String::from_utf8_lossy(name));
                Words::new(format!("参数 {name} 没有参加签名"), format!("the parameter {name} was left out"))
            }
            Self::Body(change) => change.what(),
            Self::Charset(scope, charset) => charset_words(*scope, *charset),
            Self::Decoding(decoding) => decoding.what(),
            Self::NotSorted => Words::new("参数没有按名称排序", "the parameters were not sorted by name"),
            Self::FirstWins => Words::new("重名参数取了第一个值", "of a repeated name the first value was taken"),
            Self::LowerCaseHex => Words::new("签名写成了小写十六进制", "the signature is in lower-case hex"),
            Self::Base64 => Words::new("签名写成了 Base64", "the signature is in Base64"),
        }
    }

    fn about_headers(&self, signing: &Signing) -> Words {
        let left_out = signing.left_out.iter().map(|(part, _)| part);
        let headers = signing.signed.iter().chain(left_out).filter(|part| part.source == Source::Header);
        let Words { zh, en } = listed(headers.map(|part| part.name.as_str()));
        if *self == Self::HeadersSigned {
            return Words::new(format!("请求头参加了签名：{zh}"), format!("headers took part: {en}"));
        }
        Words::new(
            format!("top-sign-list 所列请求头没有参加签名：{zh}"),
            format!("the headers of top-sign-list were left out: {en}"),
        )
    }

    fn remedy(&self, signing: &Signing) -> Words {
        let (zh, en) = match self {
            Self::Secret { name: SecretName::Previous { .. }, .. } => {
                ("请改用当前的密钥", "sign with the present secret")
            }
            Self::Secret { name: SecretName::Sandbox { .. }, .. } => {
                ("请改用正式环境的密钥", "sign with the production secret")
            }
            Self::Secret { name: SecretName::Slip(_), .. } => (
                "请核对密钥的配置，密钥前后不含空白、换行与引号",
                "check the secret's setting: no blanks, line breaks or quotes around it",
            ),
            Self::Secret { .. } => ("请核对 app_key 与密钥是否成对", "check that app_key and secret belong together"),
            Self::Method(_) => ("请使 sign_method 与实际签名方法一致", "let sign_method name the method that signs"),
            Self::MissingTail | Self::MissingHead => {
                ("MD5 的原文是：密钥 + 待签名串 + 密钥", "the MD5 is of secret + string to sign + secret")
            }
            Self::EmptyLeftOut => (
                "除 sign 外的参数都要参加签名，空值参数只拼参数名",
                "every parameter but sign takes part, an empty one as its bare name",
            ),
            Self::EmptySigned => ("空值参数不参加签名", "leave parameters with an empty value out"),
            Self::HeadersLeftOut => (
                "top-sign-list 列出的请求头要与参数一起排序、拼接",
                "headers that top-sign-list names are sorted and joined with the parameters",
            ),
            Self::HeadersSigned => ("请求头不参加签名", "leave headers out"),
            Self::OtherRule(_) if signing.rule == Rule::Receiver => {
                ("请改按接收方（奇门）规则签名", "sign by the receiver's rule, that of Qimen")
            }
            Self::OtherRule(_) => ("请改按调用方（TOP）规则签名", "sign by the caller's rule, that of TOP"),
            Self::LeftOut(_) => (
                "发送的每个参数都要参加签名；请勿在签名之后增改参数",
                "sign every parameter that is sent, and add or change none afterwards",
            ),
            Self::Body(BodyChange::FormAsText) => (
                "Content-Type 为表单时，各字段作为参数参加签名；若报文体是 JSON 或 XML，请写对应的 Content-Type",
                "under the content type of a form its fields are signed as parameters; for JSON or XML, send their content type",
            ),
            Self::Body(_) => {
                ("请对实际发送的报文体原文签名，一个字节也不要改动", "sign the very bytes of the body that is sent")
            }
            Self::Charset(..) => (
                "签名与发送要用同一字符集，即 Content-Type 所写的 charset",
                "sign and send in one charset, the one that the content type names",
            ),
            Self::Decoding(Decoding::PlusKept) => {
                ("查询串中的“+”表示空格；值里的加号请写成 %2B", "in a query + is a blank; send a plus sign as %2B")
            }
            Self::Decoding(_) => {
                ("请以参数原值签名，发送时 URL 编码一次", "sign the plain values, and URL-encode them once for sending")
            }
            Self::NotSorted => ("请按参数名升序排序后拼接", "sort the parameters by name before joining them"),
            Self::FirstWins => ("请勿发送重名参数；重名时以最后一个为准", "send no name twice; the last one counts"),
            Self::LowerCaseHex | Self::Base64 => ("请写成大写十六进制", "write it in upper-case hex"),
        };
        Words::new(zh, en)
    }
}

fn empty(signing: &Signing) -> impl Iterator<Item = &str> {
    let is_empty = |part: &&Part| part.value.is_empty() || part.name.is_empty();
    signing.signed.iter().filter(is_empty).map(|part| part.name.as_str())
}

impl BodyChange {
    fn what(self) -> Words {
        let (zh, en) = match self {
            Self::LeftOut => ("报文体没有参加签名", "the body was left out"),
            Self::Trimmed => ("签名时去掉了报文体首尾的空白", "the body was signed without the blanks at its ends"),
            Self::WithoutByteOrderMark => (
                "签名时报文体没有字节序标记（BOM），发送时却有",
                "the body was signed without the byte order mark that was sent",
            ),
            Self::LineFeeds => {
                ("签名时报文体的换行是 LF，发送时是 CRLF", "the body was signed with LF and sent with CRLF")
            }
            Self::CarriageReturns => {
                ("签名时报文体的换行是 CRLF，发送时是 LF", "the body was signed with CRLF and sent with LF")
            }
            Self::WithoutLineBreaks => {
                ("签名时报文体没有换行，发送时却有", "the body was signed without the line breaks that were sent")
            }
            Self::Json(style) => return style.what(),
            Self::XmlWithoutBlanks => (
                "签名的 XML 没有元素之间的空白，发送时却有",
                "the XML was signed without the blanks between its elements that were sent",
            ),
            Self::XmlWithoutDeclaration => (
                "签名的 XML 没有声明（<?xml …?>），发送时却有",
                "the XML was signed without the declaration that was sent",
            ),
            Self::FormAsText => ("表单被当作一段文本签名", "the form was signed as one text"),
        };
        Words::new(zh, en)
    }
}

impl JsonStyle {
    fn what(self) -> Words {
        let (zh, en) = match self {
            Self::Compact => ("不带空白", "without blanks"),
            Self::Spaced => ("逗号、冒号后带空格", "with a blank after each comma and colon"),
            Self::CompactAscii => ("不带空白，中文写成 \\uXXXX", "without blanks, Chinese as \\uXXXX"),
            Self::SpacedAscii => {
                ("逗号、冒号后带空格，中文写成 \\uXXXX", "with a blank after each comma and colon, Chinese as \\uXXXX")
            }
            Self::Sorted => ("不带空白，字段按名称排序", "without blanks, its fields sorted by name"),
        };
        Words::new(
            format!("签名的不是发送的报文体，而是重新序列化的 JSON（{zh}）"),
            format!("what was signed is not the body that was sent but JSON written anew ({en})"),
        )
    }
}

impl Decoding {
    fn what(self) -> Words {
        let (zh, en) = match self {
            Self::Once => ("参数解码一次", "the parameters were decoded once"),
            Self::PlusKept => (
                "签名时参数里是“+”，发送时没有写成 %2B",
                "a plus sign was signed as such and sent without being escaped as %2B",
            ),
            Self::Twice => ("参数发送前被 URL 编码了两次", "the parameters were URL-encoded twice for sending"),
            Self::Never => ("签名用的是 URL 编码之后的参数", "the parameters were signed as URL-encoded text"),
        };
        Words::new(zh, en)
    }
}

fn charset_words(scope: Scope, charset: SignedCharset) -> Words {
    let (zh, en) = match scope {
        Scope::Everything => ("参数与报文体", "parameters and body were"),
        Scope::Parameters => ("参数", "the parameters were"),
        Scope::Body => ("报文体", "the body was"),
    };
    match charset {
        SignedCharset::Utf8 => {
            Words::new(format!("{zh}按 UTF-8 签名，却按 GBK 发送"), format!("{en} signed in UTF-8 and sent in GBK"))
        }
        SignedCharset::Gbk => {
            Words::new(format!("{zh}按 GBK 签名，却按 UTF-8 发送"), format!("{en} signed in GBK and sent in UTF-8"))
        }
        SignedCharset::Ascii => Words::new(
            format!("{zh}签名时中文都成了“?”（程序的缺省字符集不含中文）"),
            format!("{en} signed with question marks for Chinese, by a program whose default charset has none"),
        ),
    }
}
