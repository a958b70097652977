//! `baoqiao simulate qimen`: one signed call, and what came back.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::client::{Client, SendError};
use baoqiao_simulator::example::{ISSUING_METHOD, ISSUING_REQUEST, RECOVERY_METHOD, RECOVERY_REQUEST};
use baoqiao_simulator::pretty::pretty;
use baoqiao_simulator::qimen::{
    Answer, AnswerFormat, Call, Charset, Document, Rule, SignedRequest, Verdict, decode_query, source_text,
};
use clap::ValueEnum;

use crate::commands::values::{ContentType, Pair, file_bytes, pair, print, secret, span};
use crate::failure::{Failure, Outcome};

/// Sign a Qimen call, send it and show the answer
#[derive(clap::Args)]
#[command(after_help = "\
Exit status: 0 the answer's `success` is true, 1 it refuses, 2 there is no answer.

Examples:
  The document's own issuing example, against a gateway on this machine:
    export BAOQIAO_SECRET=…
    baoqiao simulate qimen --url http://127.0.0.1:8080/qimen --app-key 24589063 --example issuing
  A file in GBK XML (a JSON file is rewritten), answered in XML:
    baoqiao simulate qimen --url … --app-key … --method my.method --file request.json \\
        --content-type xml --charset gbk --format xml
  The same call three times, as a platform that got no answer sends it:
    baoqiao simulate qimen … --file request.json --repeat 3
  What must be refused: a wrong signature, an old timestamp, a missing parameter:
    baoqiao simulate qimen … --break-signature
    baoqiao simulate qimen … --timestamp '2021-08-04 15:23:28'
    baoqiao simulate qimen … --omit timestamp")]
pub(crate) struct Args {
    /// The gateway's address; parameters in it are signed and sent
    #[arg(long)]
    url: String,
    /// The app key of the call
    #[arg(long, value_name = "KEY")]
    app_key: String,
    /// The secret that signs, or @FILE with it
    #[arg(long, env = "BAOQIAO_SECRET", hide_env_values = true, value_parser = secret)]
    secret: Secret,
    /// The interface's method name; with --example, the example's unless given
    #[arg(long, value_name = "NAME", required_unless_present = "example")]
    method: Option<String>,
    /// The request: JSON, XML, form or text; - reads standard input
    #[arg(long, value_name = "FILE", required_unless_present = "example", conflicts_with = "example")]
    file: Option<PathBuf>,
    /// A request example exactly as its document prints it
    #[arg(long, value_enum)]
    example: Option<Example>,
    /// md5, hmac or hmac-sha256
    #[arg(long, value_name = "METHOD", default_value = "md5")]
    sign_method: SignMethod,
    /// utf-8 or gbk, of body and parameters
    #[arg(long, default_value = "utf-8")]
    charset: Charset,
    /// How to spell the body; by the look of the file unless given
    #[arg(long, value_enum)]
    content_type: Option<ContentType>,
    /// The format to ask the answer in
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Sent as it stands instead of the time now, 'yyyy-MM-dd HH:mm:ss' in GMT+8
    #[arg(long, value_name = "TIME")]
    timestamp: Option<String>,
    /// A further query parameter, or another value for a system parameter
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    query: Vec<Pair>,
    /// A system parameter to leave out
    #[arg(long, value_name = "NAME")]
    omit: Vec<String>,
    /// A further header
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    header: Vec<Pair>,
    /// A further header that takes part in the signature (top-sign-list)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    sign_header: Vec<Pair>,
    /// Sign by the rule of TOP callers, without empty values, instead of the one that receivers check
    #[arg(long)]
    caller_rule: bool,
    /// Send a wrong signature
    #[arg(long)]
    break_signature: bool,
    /// How often to send it, each time with a new timestamp and signature
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// How long to wait for an answer
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = span)]
    timeout: Duration,
    /// Show the request and the string to sign, too
    #[arg(long)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Example {
    /// 出单, qimen.alibaba.finance.insurance.policy.issuing
    Issuing,
    /// 追缴; its document names no method: the gateway's default
    Recovery,
}

impl Example {
    fn method_and_request(self) -> (&'static str, &'static str) {
        match self {
            Self::Issuing => (ISSUING_METHOD, ISSUING_REQUEST),
            Self::Recovery => (RECOVERY_METHOD, RECOVERY_REQUEST),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Xml,
}

pub(super) fn run(args: &Args) -> Outcome {
    let file = args.file.as_deref().map(file_bytes).transpose()?;
    let (url, call) = call(args, file.as_deref())?;
    let client = Client::new(args.timeout)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(send_all(args, &url, &call, &client))
}

/// The URL without its query, and the call that the arguments describe.
fn call(args: &Args, file: Option<&[u8]>) -> Result<(String, Call), Failure> {
    let example = args.example.map(Example::method_and_request);
    let source = match (file, example) {
        (Some(bytes), _) => source_text(bytes, args.charset)?,
        (None, Some((_, request))) => request.into(),
        (None, None) => return Err(Failure::new("either --file or --example is needed")),
    };
    let kind = match args.content_type {
        Some(ContentType::Json) => BodyKind::Json,
        Some(ContentType::Form) => BodyKind::Form,
        Some(ContentType::Xml) => BodyKind::Xml,
        Some(ContentType::Text) => BodyKind::Text,
        None => Document::kind_by_look(&source),
    };
    let document = Document::write(kind, args.charset, &source)?;
    let method = args.method.as_deref().or(example.map(|(method, _)| method)).unwrap_or_default();
    let (url, in_url) = args.url.split_once('?').unwrap_or((&args.url, ""));
    let mut query = decode_query(in_url, args.charset);
    query.extend(args.query.iter().map(|pair| (pair.name.clone(), pair.value.clone())));
    let call = Call {
        sign_method: args.sign_method,
        format: match args.format {
            Format::Json => AnswerFormat::Json,
            Format::Xml => AnswerFormat::Xml,
        },
        timestamp: args.timestamp.clone(),
        query,
        omitted: args.omit.clone(),
        headers: args.header.iter().map(header).collect::<Result<_, _>>()?,
        signed_headers: args.sign_header.iter().map(signed_header).collect::<Result<_, _>>()?,
        rule: if args.caller_rule { Rule::Caller } else { Rule::Receiver },
        break_signature: args.break_signature,
        ..Call::new(&args.app_key, args.secret.clone(), method, document)
    };
    Ok((url.to_owned(), call))
}

fn header_name(pair: &Pair) -> Result<http::HeaderName, Failure> {
    pair.name.parse().map_err(|_| Failure::new(format!("{:?} cannot be a header's name", pair.name)))
}

fn header(pair: &Pair) -> Result<(http::HeaderName, http::HeaderValue), Failure> {
    let value = pair.value.parse();
    let value = value.map_err(|_| Failure::new(format!("header {} cannot have that value", pair.name)))?;
    Ok((header_name(pair)?, value))
}

fn signed_header(pair: &Pair) -> Result<(http::HeaderName, String), Failure> {
    Ok((header_name(pair)?, pair.value.clone()))
}

async fn send_all(args: &Args, url: &str, call: &Call, client: &Client) -> Outcome {
    let mut worst = 0;
    let mut first: Option<Answer> = None;
    for _ in 0..args.repeat {
        let signed = call.sign(SystemClock.now())?;
        if args.verbose {
            print(&request_text(url, &signed, call.document.charset()))?;
        }
        let answer = client.send(url, &signed).await.map_err(advice)?;
        let (text, status) = answer_text(&answer);
        print(&text)?;
        worst = worst.max(status);
        match &first {
            None => first = Some(answer),
            Some(first) if first.fields() == answer.fields() => print("the same answer as the first\n")?,
            Some(_) => print("NOT the answer that the first one got\n")?,
        }
    }
    Ok(ExitCode::from(worst))
}

fn advice(error: SendError) -> Failure {
    match error {
        SendError::Connect { .. } => {
            Failure::new(format!("{error}\nIs the gateway running, and does it listen on that address and port?"))
        }
        other => other.into(),
    }
}

fn request_text(url: &str, signed: &SignedRequest, charset: Charset) -> String {
    let mut text = format!("POST {url}?{}\n", signed.query);
    for (name, value) in &signed.headers {
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    let body = charset.encoding().decode_without_bom_handling(&signed.body).0;
    let _ = writeln!(text, "\n{body}\n\nstring to sign\n{}\n", signed.string_to_sign);
    text
}

/// The answer for people, and the exit status that it means.
fn answer_text(answer: &Answer) -> (String, u8) {
    let tenths_ms = answer.elapsed.as_micros() / 100;
    let head = format!("HTTP {} in {}.{} ms", answer.status, tenths_ms / 10, tenths_ms % 10);
    let (verdict, status) = match answer.verdict() {
        Verdict::Accepted => ("accepted".to_owned(), 0),
        Verdict::Refused { code, message } => (format!("refused: {code}: {message}"), 1),
        Verdict::NotAnAnswer { reason } => (
            format!("no answer of a Qimen interface: {reason}\nDoes the URL name the gateway's path, such as /qimen?"),
            2,
        ),
    };
    (format!("{head}\n{}\n{verdict}\n", pretty(&answer.text())), status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use baoqiao_channels::qimen::body;
    use baoqiao_channels::qimen::sign::SignedParts;
    use clap::Parser;
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, StatusCode};
    use jiff::Timestamp;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(further: &[&str]) -> Args {
        let usual = ["qimen", "--url", "http://x/qimen?customerId=%D5%C5", "--app-key", "k", "--secret", "s"];
        Cli::try_parse_from(usual.iter().chain(further)).unwrap_or_else(|error| panic!("{error}")).args
    }

    #[test]
    fn all_that_can_be_chosen_arrives() {
        let args = parsed(&[
            "--file=-",
            "--method=m.y",
            "--sign-method=hmac",
            "--charset=gbk",
            "--content-type=xml",
            "--format=xml",
            "--timestamp=2021-08-04 15:23:28",
            "--query=session=",
            "--omit=v",
            "--header=x-a=1",
            "--sign-header=x-b=张",
        ]);
        let (url, call) = call(&args, Some(br#"{"a":{"b":"c"}}"#)).unwrap();
        assert_eq!(url, "http://x/qimen");
        let raw = call.sign(Timestamp::UNIX_EPOCH).unwrap().to_raw();
        let parts = SignedParts::of(&raw);
        assert!(parts.is_signed_with(SignMethod::Hmac, "s"));
        let value = |name: &str| parts.value(name).map(<[u8]>::to_vec);
        assert_eq!(value("customerId").unwrap(), b"\xD5\xC5");
        assert_eq!(value("timestamp").unwrap(), b"2021-08-04 15:23:28");
        assert_eq!(value("format").unwrap(), b"xml");
        assert_eq!((value("session"), value("v")), (Some(Vec::new()), None));
        assert_eq!(value("x-b").unwrap(), b"\xD5\xC5");
        assert_eq!((value("x-a"), &raw.headers["x-a"]), (None, &"1".parse().unwrap()));
        assert_eq!(body::read(&raw).unwrap()["a"]["b"], "c");
    }

    #[test]
    fn the_example_needs_neither_file_nor_method() {
        let (_, call) = call(&parsed(&["--example", "issuing"]), None).unwrap();
        assert_eq!(call.method, ISSUING_METHOD);
        assert_eq!(call.document.bytes(), ISSUING_REQUEST.as_bytes());
        let neither = Cli::try_parse_from(["qimen", "--url", "u", "--app-key", "k", "--secret", "s"]);
        assert!(neither.is_err());
    }

    #[test]
    fn the_answer_decides_the_exit_status() {
        let status_of = |status: u16, body: &str| {
            let answer = Answer {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]),
                body: body.to_owned().into(),
                elapsed: Duration::from_micros(1_234),
            };
            answer_text(&answer)
        };
        let (text, status) = status_of(200, r#"{"success":"true"}"#);
        assert_eq!((text.as_str(), status), ("HTTP 200 OK in 1.2 ms\n{\n  \"success\": \"true\"\n}\naccepted\n", 0));
        let (text, status) = status_of(200, r#"{"success":false,"errorCode":"E","errorMessage":"m"}"#);
        assert!(text.ends_with("\nrefused: E: m\n") && status == 1, "{text}");
        let (text, status) = status_of(404, "<html>");
        assert!(text.contains("HTTP status 404") && status == 2, "{text}");
    }
}
