//! A request by its parts, and a secret that is at hand.

use std::path::PathBuf;
use std::process::ExitCode;

use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::explain::{Comparison, Evidence, Kept, by_hand};
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_channels::rule::Rule;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_simulator::qimen::{Charset, Document, encode_query};
use bytes::Bytes;
use clap::ValueEnum;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::report::{Content, report};
use crate::commands::values::{ContentType, Pair, file_bytes, pair, secret};
use crate::failure::Failure;

#[derive(clap::Args)]
#[group(id = "by-hand")]
pub(super) struct Args {
    /// The secret that signs, or @FILE with it
    #[arg(long, env = "BAOQIAO_SECRET", hide_env_values = true, value_parser = secret)]
    secret: Secret,
    /// md5, hmac or hmac-sha256; unless given what the request says, else md5
    #[arg(long, value_name = "METHOD")]
    sign_method: Option<SignMethod>,
    /// Whose rule to follow
    #[arg(long, value_enum, default_value_t = WhoseRule::Receiver)]
    rule: WhoseRule,
    /// A parameter, not encoded
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    param: Vec<Pair>,
    /// A query string, encoded as it was sent
    #[arg(long, value_name = "QUERY", conflicts_with = "url")]
    query: Option<String>,
    /// A whole URL, of which the query counts
    #[arg(long)]
    url: Option<String>,
    /// The body
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,
    /// The body as the bytes of this file; - reads standard input
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// json, form, xml, text or in full, such as 'text/xml;charset=gbk'; by the look of the body unless given
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// utf-8 or gbk, where the content type names none
    #[arg(long, default_value = "utf-8")]
    charset: Charset,
    /// A header, such as top-sign-list and those that it names
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    header: Vec<Pair>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WhoseRule {
    /// Calls to TOP: empty values and headers take no part
    Caller,
    /// Calls from Qimen, as a receiver checks them: empty values stay as bare names
    Receiver,
}

impl WhoseRule {
    pub(super) fn rule(self) -> Rule {
        match self {
            Self::Caller => Rule::Caller,
            Self::Receiver => Rule::Receiver,
        }
    }
}

pub(super) fn signed(args: &Args) -> Result<(String, ExitCode), Failure> {
    let evidence = Evidence { path: "/".to_owned(), raw: request(args)?, kept: Kept::Whole, peer: None };
    let explanation = by_hand(&evidence, args.rule.rule(), args.sign_method, &args.secret)?;
    let comparison = explanation.signing.as_ref().map(|signing| &signing.comparison);
    let differs = !matches!(comparison, Some(Comparison::Right(_) | Comparison::Impossible));
    Ok((report(&explanation, Content::Shown), if differs { ExitCode::from(1) } else { ExitCode::SUCCESS }))
}

/// The request that the arguments describe, in the bytes in which it would arrive.
fn request(args: &Args) -> Result<RawRequest, Failure> {
    let bytes = match (&args.body, &args.body_file) {
        (Some(text), _) => Some(Bytes::from(args.charset.encode(text)?.into_owned())),
        (None, Some(path)) => Some(Bytes::from(file_bytes(path)?)),
        (None, None) => None,
    };
    let body = bytes.unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, content_type(args, &body)?);
    for Pair { name, value } in &args.header {
        let broken = || Failure::new(format!("header {name:?} cannot be sent with that value"));
        let name: HeaderName = name.parse().map_err(|_| broken())?;
        headers.insert(name, value.parse().map_err(|_| broken())?);
    }
    let in_url = args.url.as_deref().map(|url| url.split_once('?').map_or("", |(_, query)| query));
    let sent = args.query.as_deref().or(in_url).unwrap_or_default();
    let sent = sent.split('#').next().unwrap_or_default();
    let given = args.param.iter().map(|pair| (pair.name.as_str(), pair.value.as_str()));
    let given = encode_query(given, args.charset)?;
    let query = [sent, &given].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
    Ok(RawRequest { query: query.into(), headers, body })
}

fn content_type(args: &Args, body: &[u8]) -> Result<HeaderValue, Failure> {
    let by_name = |name: &str| ContentType::from_str(name, true).ok().map(ContentType::essence);
    let text = match args.content_type.as_deref() {
        Some(full) if full.contains('/') => full.to_owned(),
        Some(short) => {
            let unknown = || Failure::new(format!("content type {short:?} is none of json, form, xml, text"));
            format!("{};charset={}", by_name(short).ok_or_else(unknown)?, args.charset)
        }
        None => {
            let essence = match Document::kind_by_look(&String::from_utf8_lossy(body)) {
                BodyKind::Json => ContentType::Json,
                BodyKind::Xml => ContentType::Xml,
                BodyKind::Form => ContentType::Form,
                BodyKind::Text => ContentType::Text,
            };
            format!("{};charset={}", essence.essence(), args.charset)
        }
    };
    text.parse().map_err(|_| Failure::new(format!("content type {text:?} cannot be sent")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn output(further: &[&str]) -> (String, bool) {
        let cli = Cli::try_parse_from(["sign", "--secret", "helloworld"].iter().chain(further));
        let cli = cli.unwrap_or_else(|error| panic!("{error}"));
        let (text, status) = signed(&cli.args).unwrap();
        (text, status == ExitCode::SUCCESS)
    }

    /// The vector "empty parameters keep their names in a receiver's check".
    const QUERY: &str = "method=m.y&app_key=24589063&session=&timestamp=2021-08-04+15%3A23%3A28";
    const SIGN: &str = "FFF281DA7C5311D8BBF70BF43C895E9F";

    #[test]
    fn a_request_is_signed_and_how_it_comes_about_is_told() {
        let (text, same) = output(&["--query", QUERY, "--body", "{}"]);
        let expected = format!(
            "\
signed by the receiver's rule, in this order, in UTF-8
    1  query   app_key    24589063
    2  query   method     m.y
    3  query   session    (empty: its bare name)
    4  query   timestamp  2021-08-04 15:23:28
       body    2 bytes, after the parameters

string to sign
app_key24589063methodm.ysessiontimestamp2021-08-04 15:23:28{{}}

signatures by md5
  computed  {SIGN}  by the given secret
"
        );
        assert_eq!((text, same), (expected, true));
    }

    #[test]
    fn a_whole_url_and_its_own_signature() {
        let url = format!("https://x/qimen?{QUERY}&sign={SIGN}#top");
        let (text, same) = output(&["--url", &url, "--body", "{}"]);
        assert!(same && text.starts_with("check\n  ✓ the signature is right, by the given secret\n"), "{text}");
        let (text, same) = output(&["--url", &url, "--body", "{}", "--rule", "caller"]);
        assert!(!same && text.contains("✗ the signature is wrong: parameters with an empty value took part"), "{text}");
        let (text, same) = output(&["--url", &url, "--body", "{ }"]);
        assert!(!same && text.contains("JSON written anew (without blanks)"), "{text}");
        assert!(text.contains("\nto forward, 可转给对方\n  贵方的这次调用未通过验签"), "{text}");
        let (text, same) = output(&["--url", &url, "--body", "[]"]);
        assert!(!same && text.contains("no usual mistake and no two of them explain it"), "{text}");
    }

    #[test]
    fn parameters_are_encoded_in_the_charset_and_shown_decoded() {
        let (text, _) = output(&["--param=n=张 三", "--param=sign_method=hmac-sha256", "--charset=gbk"]);
        assert!(text.contains("in this order, in GBK\n    1  query   n            张 三\n"), "{text}");
        assert!(text.contains("\nn张 三sign_methodhmac-sha256\n\nsignatures by hmac-sha256\n"), "{text}");
        let cli = Cli::try_parse_from(["sign", "--secret=s", "--param=n=张", "--charset=gbk"]).unwrap();
        assert_eq!(request(&cli.args).unwrap().query, "n=%D5%C5");
    }

    #[test]
    fn a_form_is_taken_for_one() {
        let (text, _) = output(&["--query=a=1", "--body=a=2&b=3"]);
        assert!(text.contains("form    a  2: the same name comes again, and the last counts"), "{text}");
        assert!(text.contains("\na1b3\n"), "{text}");
        let (text, _) = output(&["--query=a=1", "--body=a=2&b=3", "--content-type=text"]);
        assert!(text.contains("\na1a=2&b=3\n"), "{text}");
    }

    #[test]
    fn what_came_cannot_move_the_cursor() {
        let (text, _) = output(&["--query=a%1B%5B2J=%0D%1B%5B2J&sign=%1B%0A", "--body={\u{1b}}"]);
        assert!(!text.contains(['\u{1b}', '\r']), "{text:?}");
        assert!(text.contains("a\\u{1b}[2J") && text.contains("{\\u{1b}}"), "{text}");
    }
}
