//! Commands as people and browsers write them.

use proptest::prelude::*;

use super::*;

fn no_file(_: &str) -> Result<Vec<u8>, String> {
    Err("no such file".to_owned())
}

fn parsed(command: &str) -> Evidence {
    parse(command, &no_file).unwrap_or_else(|error| panic!("{error}: {command}"))
}

fn error(command: &str) -> CurlError {
    parse(command, &no_file).unwrap_err()
}

#[test]
fn a_command_out_of_a_terminal() {
    let evidence = parsed(
        "$ curl -sS -XPOST 'https://gw.test:8443/qimen?method=m.y&app_key=1&sign=AB%2B' \\\n  -H 'Content-Type: application/json;charset=utf-8' \\\r\n  \
         -H\"top-sign-list: x-a\" --header x-a:1 -k --max-time 5 \\\n  --data '{\"n\":\"张'\\''三\"}' | jq .",
    );
    assert_eq!((evidence.path.as_str(), &evidence.raw.query[..]), ("/qimen", &b"method=m.y&app_key=1&sign=AB%2B"[..]));
    assert_eq!(evidence.raw.body, "{\"n\":\"张'三\"}");
    let header = |name: &str| evidence.raw.headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("content-type"), "application/json;charset=utf-8");
    assert_eq!((header("top-sign-list"), header("x-a")), ("x-a", "1"));
}

#[test]
fn a_command_copied_from_a_browser_for_bash() {
    let evidence = parsed(
        r#"curl 'http://x/qimen?a=1' -H 'accept: */*' --data-raw $'{"n":"\u5f20\ud872\udf4e\'\n\x41\101"}' --compressed"#,
    );
    assert_eq!(String::from_utf8(evidence.raw.body.to_vec()).unwrap(), "{\"n\":\"张𬭎'\nAA\"}");
}

#[test]
fn a_command_copied_from_a_browser_for_windows() {
    let evidence = parsed(
        "curl ^\"http://x/qimen?a=1^&b=2^\" ^\r\n  -H ^\"content-type: text/xml^\" ^\r\n  --data-raw ^\"^{^\\^\"a^\\^\":1^}^\"",
    );
    assert_eq!(evidence.raw.query, "a=1&b=2");
    assert_eq!(evidence.raw.body, "{\"a\":1}");
    let evidence = parsed("curl.exe \"http://x/?a=1&b=2\" ^\n -d \"{\\\"a\\\":\\\"\\\\\\\\\\\"}\" -H \"x: ^&\"");
    assert_eq!((&evidence.raw.query[..], &evidence.raw.body[..]), (&b"a=1&b=2"[..], &br#"{"a":"\\"}"#[..]));
    assert_eq!(evidence.raw.headers.get("x").unwrap(), "^&");
}

#[test]
fn bytes_of_another_charset_can_be_written() {
    assert_eq!(&parsed(r"curl x -d $'\xD5\xC5'").raw.body[..], b"\xD5\xC5");
}

#[test]
fn data_of_every_kind() {
    let read = |path: &str| if path == "f" { Ok(b"a\r\nb c\n".to_vec()) } else { Err("no".to_owned()) };
    let body = |command: &str| parse(command, &read).unwrap().raw.body;
    assert_eq!(body("curl x -d a=1 -d b=2"), "a=1&b=2");
    assert_eq!(body("curl x -d @f"), "ab c");
    assert_eq!(body("curl x --data-binary @f"), "a\r\nb c\n");
    assert_eq!(body("curl x --data-raw @f"), "@f");
    assert_eq!(
        body("curl x --data-urlencode 'n=张 &' --data-urlencode =a+b --data-urlencode '~ x'"),
        "n=%E5%BC%A0%20%26&a%2Bb&~%20x"
    );
    assert_eq!(body("curl x --data-urlencode n@f"), "n=a%0D%0Ab%20c%0A");
    assert_eq!(body("curl x --json '{' --json '}'"), "{}");
    assert_eq!(body("curl x --data=a"), "a");
    let content_type = |command: &str| parsed(command).raw.headers.get(CONTENT_TYPE).cloned();
    assert_eq!(content_type("curl x -d a").unwrap(), "application/x-www-form-urlencoded");
    assert_eq!(content_type("curl x --json a").unwrap(), "application/json");
    assert_eq!(content_type("curl x -d a -H content-type:text/xml").unwrap(), "text/xml");
    assert_eq!(content_type("curl x -d a -H 'Content-Type:'"), None);
    assert_eq!(content_type("curl x"), None);
    assert_eq!(parsed("curl x -H 'x-empty;'").raw.headers.get("x-empty").unwrap(), "");
}

#[test]
fn data_goes_into_the_query_where_it_is_asked_to() {
    let evidence = parsed("curl -G --url 'x.test/p?a=1#top' -d b=2 --data-urlencode 'c=张'");
    assert_eq!((evidence.path.as_str(), &evidence.raw.query[..]), ("/p", &b"a=1&b=2&c=%E5%BC%A0"[..]));
    assert!(evidence.raw.body.is_empty() && evidence.raw.headers.is_empty());
    assert_eq!(parsed("curl https://x.test?a=1").path, "/");
}

#[test]
fn what_cannot_be_read_says_so() {
    assert_eq!(error("curl 'http://x"), CurlError::OpenQuote);
    assert_eq!(error("curl \"http://x"), CurlError::OpenQuote);
    assert_eq!(error("curl $'a\\"), CurlError::OpenQuote);
    assert_eq!(error("curl ^\"http://x"), CurlError::OpenQuote);
    assert_eq!(error("curl http://x/?a=1&b=2"), CurlError::BareAmpersand);
    assert_eq!(error("wget http://x"), CurlError::NoCurl);
    assert_eq!(error("curl -s"), CurlError::NoUrl);
    assert_eq!(error("curl x -H"), CurlError::NoValue("-H".to_owned()));
    assert_eq!(error("curl x --header"), CurlError::NoValue("--header".to_owned()));
    assert_eq!(error("curl x --sign v"), CurlError::UnknownOption("--sign".to_owned()));
    assert_eq!(error("curl x -sQ v"), CurlError::UnknownOption("-Q".to_owned()));
    assert_eq!(error("curl x -F a=@b"), CurlError::Unsupported("-F".to_owned()));
    assert_eq!(error("curl x y"), CurlError::SecondUrl("y".to_owned()));
    assert_eq!(error("curl x -H nothing"), CurlError::NoHeader("nothing".to_owned()));
    assert_eq!(error("curl x -d @no").to_string(), "no: no such file");
    for error in [error("curl"), error("wget"), error("curl x -F a")] {
        assert!(!error.words().zh.is_empty() && error.words().en == error.to_string());
    }
}

proptest! {
    #[test]
    fn what_is_quoted_comes_back(body in "\\PC{0,40}", query in "[a-z=&%+ 0-9]{0,20}") {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        let command = format!("curl {} --data-raw {}", quoted(&format!("http://x/p?{query}")), quoted(&body));
        let evidence = parsed(&command);
        prop_assert_eq!(&evidence.raw.body[..], body.as_bytes());
        prop_assert_eq!(&evidence.raw.query[..], query.as_bytes());
    }

    #[test]
    fn nothing_panics(text in "(curl|-d|-H|--data|[ \\\\'\"$^&=@:;\n]|\\\\u[0-9a-f]{0,5}|张|x){0,30}") {
        let _ = parse(&text, &no_file);
        let _ = parse(&format!("curl {text}"), &no_file);
    }
}
