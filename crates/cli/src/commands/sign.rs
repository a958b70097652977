//! `baoqiao sign`: a signature by hand, and how it comes about.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_simulator::explain::{Explanation, Fate, Part, Source, explain, fits};
use baoqiao_simulator::qimen::{Charset, Document, Rule, encode_query};
use bytes::Bytes;
use clap::ValueEnum;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::values::{ContentType, Pair, file_bytes, pair, print, secret};
use crate::failure::{Failure, Outcome};

/// Show the string to sign and the signature of a request, and what takes part in it
#[derive(clap::Args)]
#[command(after_help = "\
A `sign` among the parameters is compared with the computed one. Where they differ, the usual
mistakes are tried: another method, the other rule, the other charset, lower-case hex, a body
left out.

Exit status: 0 computed, 1 the request's own `sign` is another, 2 wrong usage.

Examples:
  A call that a gateway refused, as its log or the platform's page shows it:
    baoqiao sign --secret @secret.txt --url 'https://…/qimen?method=…&sign=…' --body-file body.json
  A call to TOP, by parameters:
    baoqiao sign --secret … --rule caller --sign-method hmac --param method=… --param 'biz_data={…}'")]
pub(crate) struct Args {
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

pub(crate) fn run(args: &Args) -> Outcome {
    let (text, status) = signed(args)?;
    print(&text)?;
    Ok(status)
}

fn signed(args: &Args) -> Result<(String, ExitCode), Failure> {
    let raw = request(args)?;
    let rule = match args.rule {
        WhoseRule::Caller => Rule::Caller,
        WhoseRule::Receiver => Rule::Receiver,
    };
    let method = match args.sign_method {
        Some(method) => method,
        None => own_method(&raw)?,
    };
    let explanation = explain(&raw, rule, method, args.secret.expose());
    let mut text = explanation_text(&explanation, method);
    if raw.body.ends_with(b"\n") && explanation.body_bytes.is_some() {
        text.push_str("note: the body ends with a line break, which is signed, too\n");
    }
    let differs = explanation.came.as_ref().is_some_and(|came| *came != explanation.signature);
    if differs && let Some(came) = &explanation.came {
        let _ = writeln!(text, "DIFFERS from the request's own sign {came}");
        let found = fits(&raw, args.secret.expose(), came);
        // Without empty values both rules fit: the one that was asked for says more.
        let _ = match found.iter().find(|fit| fit.rule == rule).or(found.first()) {
            Some(fit) => writeln!(text, "which is the signature of {fit}"),
            None => writeln!(text, "which none of the usual mistakes explains: another secret, or another request"),
        };
    } else if explanation.came.is_some() {
        text.push_str("the request's own sign is the same\n");
    }
    Ok((text, if differs { ExitCode::from(1) } else { ExitCode::SUCCESS }))
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

/// `sign_method` of the request; md5 where it names none.
fn own_method(raw: &RawRequest) -> Result<SignMethod, Failure> {
    let parts = baoqiao_channels::qimen::sign::SignedParts::of(raw);
    match parts.text("sign_method") {
        Some(name) if !name.is_empty() => Ok(name.parse()?),
        _ => Ok(SignMethod::Md5),
    }
}

fn explanation_text(explanation: &Explanation, method: SignMethod) -> String {
    let mut text = String::from("parameters\n");
    for part in &explanation.parts {
        let _ = writeln!(text, "  {}", part_text(part));
    }
    let _ = match explanation.body_bytes {
        Some(0) => writeln!(text, "  no body"),
        Some(bytes) => writeln!(text, "  body    {bytes} bytes: signed as text, after the parameters"),
        None => writeln!(text, "  body    not signed as text: a form's fields are parameters"),
    };
    let _ = writeln!(text, "string to sign, in {}", explanation.charset);
    let _ = writeln!(text, "{}", explanation.string_to_sign);
    let _ = writeln!(text, "sign_method {method}");
    let _ = writeln!(text, "signature   {}", explanation.signature);
    text
}

fn part_text(part: &Part) -> String {
    let source = match part.source {
        Source::Header => "header",
        Source::Form => "form",
        Source::Query => "query",
    };
    let fate = match part.fate {
        Fate::Signed if part.value.is_empty() => "signed as its bare name",
        Fate::Signed => "signed",
        Fate::IsSignature => "left out: it is the signature",
        Fate::Overridden => "left out: the same name comes again",
        Fate::Empty => "left out: empty, and callers leave that out",
        Fate::CallersSignNoHeader => "left out: callers sign no headers",
    };
    format!("{source:<7} {}={}: {fate}", part.name, part.value)
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
    fn a_request_is_explained() {
        let (text, same) = output(&["--query", QUERY, "--body", "{}"]);
        let expected = format!(
            "\
parameters
  query   method=m.y: signed
  query   app_key=24589063: signed
  query   session=: signed as its bare name
  query   timestamp=2021-08-04 15:23:28: signed
  body    2 bytes: signed as text, after the parameters
string to sign, in UTF-8
app_key24589063methodm.ysessiontimestamp2021-08-04 15:23:28{{}}
sign_method md5
signature   {SIGN}
"
        );
        assert_eq!((text, same), (expected, true));
    }

    #[test]
    fn a_whole_url_and_its_own_signature() {
        let url = format!("https://x/qimen?{QUERY}&sign={SIGN}#top");
        let (text, same) = output(&["--url", &url, "--body", "{}"]);
        assert!(same && text.ends_with("the request's own sign is the same\n"), "{text}");
        let (text, same) = output(&["--url", &url, "--body", "{}", "--rule", "caller"]);
        assert!(!same && text.contains("which is the signature of md5 by the receiver's rule\n"), "{text}");
        let (text, same) = output(&["--url", &url, "--body", "{ }"]);
        assert!(!same && text.contains("another secret, or another request"), "{text}");
    }

    #[test]
    fn parameters_are_encoded_in_the_charset_and_shown_decoded() {
        let (text, _) = output(&["--param=n=张 三", "--param=sign_method=hmac-sha256", "--charset=gbk"]);
        assert!(
            text.contains("string to sign, in GBK\nn张 三sign_methodhmac-sha256\nsign_method hmac-sha256\n"),
            "{text}"
        );
        let cli = Cli::try_parse_from(["sign", "--secret=s", "--param=n=张", "--charset=gbk"]).unwrap();
        assert_eq!(request(&cli.args).unwrap().query, "n=%D5%C5");
    }

    #[test]
    fn a_form_is_taken_for_one() {
        let (text, _) = output(&["--query=a=1", "--body=a=2&b=3"]);
        assert!(text.contains("form    a=2: left out: the same name comes again"), "{text}");
        assert!(text.contains("\na1b3\n"), "{text}");
        let (text, _) = output(&["--query=a=1", "--body=a=2&b=3", "--content-type=text"]);
        assert!(text.contains("\na1a=2&b=3\n"), "{text}");
    }
}
