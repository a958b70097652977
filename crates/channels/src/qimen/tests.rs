//! The channel as a platform meets it: signed request in, command or refusal, answer out.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::access::Secret;
use baoqiao_domain::currency::Currency;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::product::{AmountRange, Catalogue, DiscrepancyPolicy, Product};

const METHOD: &str = "qimen.alibaba.finance.insurance.policy.issuing";
const EXAMPLE: &str = include_str!("golden/policy_issuing/example.json");

fn access(sign_methods: &[SignMethod]) -> Access {
    let partner = Partner {
        id: "alibaba".to_owned(),
        app_key: "24589063".to_owned(),
        secrets: vec![Secret::new("new"), Secret::new("old")],
        sign_methods: sign_methods.to_vec(),
        timestamp_window_s: 600,
    };
    let methods = [(METHOD, "qimen/policy-issuing"), ("recovery.by.another.name", "qimen/recovery")];
    Access::new([partner], methods.map(|(method, scope)| (method.to_owned(), scope)).into())
}

fn catalogue() -> Catalogue {
    let range = |min: &str, max: &str| AmountRange { min: min.parse().unwrap(), max: max.parse().unwrap() };
    let bonds = Product {
        code: "PERFORMANCE_SURETY_BONDS".to_owned(),
        name: "履约保证保险".to_owned(),
        prefix: "PBDI".parse().unwrap(),
        sum_insured_cny: range("1", "1000000"),
        premium_cny: range("0.01", "10000"),
        premium_tolerance: "0.01".parse().unwrap(),
        cny_tolerance: "0.01".parse().unwrap(),
        currencies: vec![Currency::CNY],
        partners: vec!["alibaba".to_owned()],
        on_sale: true,
        recovery_discrepancy: DiscrepancyPolicy::Record,
    };
    Catalogue::new([Product { code: "CES".to_owned(), ..bonds.clone() }, bonds])
}

fn now() -> Timestamp {
    parse_gmt8("2021-08-04 15:23:28").unwrap()
}

/// A request with the system parameters of protocols.md §2, signed with `secret`.
fn signed(content_type: &str, body: &[u8], extra: &str, secret: &str) -> RawRequest {
    let query = format!("method={METHOD}&app_key=24589063&timestamp=2021-08-04+15%3A23%3A28&v=2.0{extra}");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
    let mut raw = RawRequest { query: query.clone().into(), headers, body: body.to_vec().into() };
    let named = SignedParts::of(&raw).text("sign_method").and_then(|name| name.parse().ok());
    let signature = SignedParts::of(&raw).signature(named.unwrap_or(SignMethod::Md5), secret);
    raw.query = format!("{query}&sign={signature}").into();
    raw
}

fn decode(raw: &RawRequest) -> Result<crate::channel::Decoded, Refusal> {
    let access = access(&SignMethod::ALL);
    let interface = Qimen.interface(raw, &access);
    let call = Qimen.authenticate(raw, &Origin::default(), &access, now())?;
    interface.ok_or_else(|| Qimen.unknown_interface(&call))?.decode(&call, &catalogue())
}

fn application(raw: &RawRequest) -> Value {
    let Command::IssuePolicy(application) = decode(raw).unwrap().command else { panic!("another command") };
    serde_json::to_value(application).unwrap()
}

/// Problems of the example with some top-level fields replaced (or, by null, removed).
fn problems(changes: &Value) -> Vec<String> {
    let mut tree: Value = serde_json::from_str(EXAMPLE).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        tree[name] = value.clone();
    }
    match decode(&signed("application/json", tree.to_string().as_bytes(), "", "new")) {
        Err(Refusal::InvalidFields(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_as_printed_reads_the_same_in_all_three_spellings() {
    let expected: Value = serde_json::from_str(include_str!("golden/policy_issuing/example.command.json")).unwrap();
    for (content_type, body) in [
        ("application/json;charset=utf-8", EXAMPLE),
        ("text/plain", EXAMPLE),
        ("application/x-www-form-urlencoded;charset=utf-8", include_str!("golden/policy_issuing/example.form")),
        ("text/xml;charset=utf-8", include_str!("golden/policy_issuing/example.xml")),
        ("application/xml", include_str!("golden/policy_issuing/example.xml")),
    ] {
        let command = application(&signed(content_type, body.as_bytes(), "", "new"));
        assert_eq!(command, expected, "{content_type}");
    }
}

#[test]
fn extensions_are_kept_and_read_the_same_in_json_and_xml() {
    let mut tree: Value = serde_json::from_str(EXAMPLE).unwrap();
    tree["attrs"]["x"] = json!(1);
    tree["insurePeriod"] = serde_json::from_str("40.0").unwrap();
    let from_json = application(&signed("application/json", tree.to_string().as_bytes(), "", "new"));
    assert_eq!(from_json["attrs"]["x"], "1");
    assert_eq!(from_json["insurePeriod"].to_string(), "40");
    let xml = include_str!("golden/policy_issuing/example.xml").replace("<attrs>", "<attrs>\n  <x> 1 </x>\n  ");
    assert_eq!(application(&signed("text/xml", xml.as_bytes(), "", "new")), from_json);
    let Command::IssuePolicy(read) = decode(&signed("text/xml", xml.as_bytes(), "", "new")).unwrap().command else {
        panic!("not issuing")
    };
    let kept = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<baoqiao_domain::issuing::PolicyApplication>(&kept).unwrap(), *read);
}

#[test]
fn the_example_reads_the_same_in_gbk() {
    let (gbk, _, unmappable) = encoding_rs::GBK.encode(EXAMPLE);
    assert!(!unmappable);
    let utf8 = application(&signed("application/json", EXAMPLE.as_bytes(), "", "new"));
    assert_eq!(application(&signed("application/json;charset=GBK", &gbk, "", "new")), utf8);
}

#[test]
fn either_live_secret_verifies_and_tells_which() {
    let access = access(&SignMethod::ALL);
    for (index, secret) in ["new", "old"].into_iter().enumerate() {
        let raw = signed("application/json", b"{}", "", secret);
        assert_eq!(Qimen.authenticate(&raw, &Origin::default(), &access, now()).unwrap().secret_index(), index);
    }
}

#[test]
fn every_distrust_is_told_apart_for_us_and_not_for_them() {
    let strict = access(&[SignMethod::HmacSha256]);
    let open = access(&SignMethod::ALL);
    let good = signed("application/json", b"{}", "", "new");
    let edited = |from: &str, to: &str| {
        let query = String::from_utf8(good.query.to_vec()).unwrap().replace(from, to);
        RawRequest { query: query.into(), ..good.clone() }
    };
    let later = |seconds| now() + jiff::SignedDuration::from_secs(seconds);
    let cases = [
        (edited("app_key", "appkey"), now(), &open, "system parameter app_key is missing"),
        (edited("24589063", "1"), now(), &open, "app_key \"1\" belongs to no partner"),
        (edited("&sign=", "&signature="), now(), &open, "system parameter sign is missing"),
        (edited("v=2.0", "v=2.1"), now(), &open, "the signature fits none of the partner's secrets"),
        (good.clone(), now(), &strict, "sign_method \"md5\" is not allowed to this partner"),
        (
            signed("application/json", b"{}", "&sign_method=sha1", "new"),
            now(),
            &open,
            "sign_method \"sha1\" is not allowed to this partner",
        ),
        (good.clone(), later(601), &open, "timestamp is -601 s off, 600 s are allowed"),
        (good.clone(), later(-601), &open, "timestamp is 601 s off, 600 s are allowed"),
    ];
    for (raw, at, access, detail) in cases {
        let refusal = Qimen.authenticate(&raw, &Origin::default(), access, at).unwrap_err();
        assert_eq!(refusal.internal_detail().as_deref(), Some(detail));
        let reply = Qimen.reply_refused(&raw, &refusal, now());
        let text = r#"{"errorCode":"sign-check-failure","errorMessage":"Illegal request","success":"false"}"#;
        assert_eq!((reply.status, String::from_utf8(reply.body).unwrap().as_str()), (200, text));
    }
    assert!(Qimen.authenticate(&good, &Origin::default(), &open, later(600)).is_ok());
}

#[test]
fn a_method_we_do_not_serve_is_named() {
    let raw = signed("application/json", b"{}", "&method=qimen.other", "new");
    assert_eq!(decode(&raw), Err(Refusal::UnknownInterface { method: "qimen.other".to_owned() }));
}

#[test]
fn what_is_missing_is_all_told_at_once() {
    let required = json!({
        "identifier": null, "insureId": null, "productCode": "", "insureTime": null, "effectTime": null, "expireTime": null,
        "amount": null, "premium": null, "premiumOfCny": null, "currency": null, "currencyRate": null,
    });
    let told = problems(&required);
    assert_eq!(told.len(), 11, "{told:?}");
    assert!(told.iter().all(|problem| problem.ends_with("：缺少，必填")), "{told:?}");
}

#[test]
fn wrong_fields_are_told_with_broken_rules_in_one_answer() {
    let told = problems(&json!({
        "insureTime": "2021-08-04", "premium": "6,36", "amount": 2_000_000, "amountOfCny": "1018.0", "currency": "RMB", "currencyRate": "0",
        "expireTime": "2021-08-04 15:23:26", "insurePeriod": "-1",
        "applicantPersonalInfo": {"personLicenseType": "DRIVER"}, "insuredCompanyInfo": {"companyLicenseType": "UNITED"}, "attrs": [1],
    }));
    assert_eq!(
        told,
        [
            "insureTime：收到“2021-08-04”，应为yyyy-MM-dd HH:mm:ss 格式的北京时间",
            "insurePeriod：收到“-1”，应为不为负的整数",
            "premium：收到“6,36”，应为不含正负号的十进制金额，如 1018.0",
            "currency：收到“RMB”，应为ISO 4217 币种代码，如 CNY",
            "currencyRate：收到“0”，应为大于 0 的十进制汇率，如 1.0",
            "applicantPersonalInfo.personLicenseType：收到“DRIVER”，应为ALI、IDENTITY_CARD 或 PASSPORT",
            "insuredCompanyInfo.companyLicenseType：收到“UNITED”，应为UNITY 或 GENERAL",
            "attrs：收到“数组”，应为对象",
            "expireTime：收到“2021-08-04 15:23:26”，应为晚于 effectTime 2021-08-04 15:23:26 的时间",
        ]
    );
}

#[test]
fn answers_have_the_documents_shape() {
    let outcome = Outcome::PolicyIssued {
        policy_no: "PBDI20211201Q000F0001".parse().unwrap(),
        policy_file_url: "https://x.test/documents/a?b&c".to_owned(),
    };
    let reply = |query: &str, result: &crate::channel::CallResult| {
        let raw = RawRequest { query: query.to_owned().into(), ..RawRequest::default() };
        String::from_utf8(policy_issuing::PolicyIssuing.reply(&raw, result, now()).body).unwrap()
    };
    assert_eq!(reply("", &Ok(outcome.clone())), include_str!("golden/policy_issuing/issued.json").trim_end());
    assert_eq!(reply("format=xml", &Ok(outcome)), include_str!("golden/policy_issuing/issued.xml").trim_end());
    let conflict = Refusal::IdempotencyConflict { key: "01".to_owned(), differing: vec!["amount".to_owned()] };
    assert_eq!(reply("", &Err(conflict)), include_str!("golden/policy_issuing/conflict.json").trim_end());
}

const RECOVERY: &str = "&method=recovery.by.another.name";
const RECOVERY_EXAMPLE: &str = include_str!("golden/recovery/example.json");

fn recovery(raw: &RawRequest) -> Value {
    let decoded = decode(raw).unwrap();
    let Command::RecordRecovery(recovery) = decoded.command else { panic!("another command") };
    assert_eq!((decoded.key.as_str(), decoded.uuid), ("010101004172821111702476033", None));
    serde_json::to_value(recovery).unwrap()
}

#[test]
fn the_recovery_as_printed_reads_the_same_in_every_spelling() {
    let expected: Value = serde_json::from_str(include_str!("golden/recovery/example.command.json")).unwrap();
    let tree: Value = serde_json::from_str(RECOVERY_EXAMPLE).unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let fields: Vec<(&String, &Value)> = tree.as_object().unwrap().iter().collect();
    let encoded =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let form: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(&text(value)))).collect();
    let escaped = |text: &str| quick_xml::escape::escape(text.to_owned()).to_string();
    let element = |(name, value): &(&String, &Value)| match value {
        Value::Object(inner) => {
            let inner: Vec<String> = inner.iter().map(|(n, v)| format!("<{n}>{}</{n}>", escaped(&text(v)))).collect();
            format!("<{name}>{}</{name}>", inner.concat())
        }
        value => format!("<{name}>{}</{name}>", escaped(&text(value))),
    };
    let xml = format!("<request>{}</request>", fields.iter().map(element).collect::<String>());
    for (content_type, body) in [
        ("application/json;charset=utf-8", RECOVERY_EXAMPLE.to_owned()),
        ("text/plain", RECOVERY_EXAMPLE.to_owned()),
        ("application/x-www-form-urlencoded;charset=utf-8", form.join("&")),
        ("text/xml;charset=utf-8", xml),
    ] {
        assert_eq!(recovery(&signed(content_type, body.as_bytes(), RECOVERY, "new")), expected, "{content_type}");
    }
    let (gbk, _, _) = encoding_rs::GBK.encode(RECOVERY_EXAMPLE);
    assert_eq!(recovery(&signed("application/json;charset=GBK", &gbk, RECOVERY, "new")), expected);
}

#[test]
fn a_recovery_needs_only_what_its_document_requires() {
    let least = br#"{"institution":"HYUNDAI","productCode":"CES","identifier":"1","attrs":{"a":"b"},
        "recoveryPersonalInfo":{"personName":"\u5f20","personPhone":"139"},"new":1}"#;
    let Command::RecordRecovery(recovery) =
        decode(&signed("application/json", least, RECOVERY, "new")).unwrap().command
    else {
        panic!("another command")
    };
    assert_eq!(recovery.extensions["a"], "b");
    assert_eq!(recovery.person.unwrap().other["personPhone"], "139");
    let wrong = br#"{"productCode":"NONE","currency":"RMB","recoverTime":"2022","currencyRate":0,"attrs":7}"#;
    let Err(Refusal::InvalidFields(problems)) = decode(&signed("application/json", wrong, RECOVERY, "new")) else {
        panic!("taken")
    };
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["identifier", "institution", "recoverTime", "currency", "currencyRate", "attrs", "productCode"]);
}

#[test]
fn a_recoverys_answers_have_its_own_envelope() {
    let raw = |format: &str| RawRequest {
        query: format!("method=recovery.by.another.name{format}").into(),
        ..RawRequest::default()
    };
    let reply = |format: &str, result: &crate::channel::CallResult| {
        let raw = raw(format);
        let interface = Qimen.interface(&raw, &access(&SignMethod::ALL)).unwrap();
        String::from_utf8(interface.reply(&raw, result, now()).body).unwrap()
    };
    let recorded = Ok(Outcome::RecoveryRecorded { policy_no: None, unmatched: None, discrepancies: Vec::new() });
    let json = include_str!("golden/recovery/recorded.json").trim_end();
    assert_eq!(reply("", &recorded), json);
    let xml = "<response><responseCode>SUCCESS</responseCode><responseMessage>“追缴成功”</responseMessage><success>true</success></response>";
    assert!(reply("&format=xml", &recorded).ends_with(xml));
    let refused = r#"{"responseCode":"sign-check-failure","responseMessage":"Illegal request","success":false}"#;
    assert_eq!(reply("", &Err(Refusal::Untrusted(Distrust::WrongSignature))), refused);
}

#[test]
fn every_file_of_an_interface_is_registered() {
    let family = ["mod", "sign", "body", "compose", "envelope", "explain", "parameters", "tests"];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/qimen");
    let stems = std::fs::read_dir(folder).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        is_source.then(|| path.file_stem().unwrap().to_str().unwrap().to_owned())
    });
    let mut files: Vec<String> = stems
        .filter(|stem| !family.contains(&stem.as_str()))
        .map(|stem| format!("qimen/{}", stem.replace('_', "-")))
        .collect();
    let mut scopes: Vec<String> = INTERFACES.iter().map(|interface| interface.scope().to_owned()).collect();
    files.sort();
    scopes.sort();
    assert_eq!(files, scopes);
}

proptest! {
    #[test]
    fn decoding_never_panics(kind in prop::sample::select(vec!["application/json", "text/xml", "application/x-www-form-urlencoded;charset=gbk"]), body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&signed(kind, &body, "", "new"));
    }

    #[test]
    fn a_field_of_any_kind_never_panics(name in prop::sample::select(vec!["amount", "expireTime", "attrs", "applicantPersonalInfo", "insurePeriod", "currency"]), value in prop_oneof![Just(json!(null)), Just(json!([])), Just(json!({"a": {}})), any::<i64>().prop_map(Value::from), "\\PC{0,40}".prop_map(Value::from)]) {
        let mut tree: Value = serde_json::from_str(EXAMPLE).unwrap();
        tree[name] = value;
        let _ = decode(&signed("application/json", tree.to_string().as_bytes(), "", "new"));
    }
}
