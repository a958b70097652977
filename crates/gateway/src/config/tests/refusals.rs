//! Every refusal, with its exact words.

use super::*;

/// What is told of a file, without the path before each line.
fn told(text: &str) -> Vec<String> {
    let error = parse(text).unwrap_err().to_string();
    let line = |line: &str| line.strip_prefix("/etc/baoqiao/b.toml:").unwrap().to_owned();
    error.lines().map(line).collect()
}

/// What is told when `from` of the minimal file is `to`.
fn told_with(from: &str, to: &str) -> Vec<String> {
    assert!(MINIMAL.contains(from), "{from}");
    let told = told(&MINIMAL.replacen(from, to, 1));
    assert!(!told.join("\n").contains("hidden"), "{told:?}");
    told
}

/// What is told when these lines stand before the minimal file.
fn told_before(lines: &str) -> Vec<String> {
    told(&format!("{lines}\n{MINIMAL}"))
}

#[test]
fn unknown_keys_are_refused_with_the_key_that_was_meant() {
    for (lines, expected) in [
        ("[server]\nlisen = \"x\"", "2: server.lisen: unknown key; did you mean listen?"),
        ("server.body-limit-bytes = 1", "1: server.body-limit-bytes: unknown key; did you mean body_limit_bytes?"),
        ("\n[sever]\nlisten = \"x\"", "2: sever: unknown key; did you mean server?"),
        ("log = {\n  level = \"info\",\n  colour = 1,\n}", "3: log.colour: unknown key; expected one of format, level"),
        ("[channels.top]", "1: channels.top: unknown key; expected one of qimen, avatar"),
        ("[log]\n\"a\\nb\" = 1", "2: log.a\\nb: unknown key; expected one of format, level"),
        (
            "[channels.qimen.methods]\npolicy-isuing = \"x\"",
            "2: channels.qimen.methods.policy-isuing: unknown key; did you mean policy-issuing?",
        ),
    ] {
        assert_eq!(told_before(lines), [expected], "{lines}");
    }
    assert_eq!(
        told_with("policy_prefix", "premium = 1\npolicy_prefix"),
        [
            "10: product.premium: unknown key; expected one of code, name, policy_prefix, partners, sum_insured_cny, premium_cny, \
          currencies, premium_tolerance, cny_tolerance, recovery_discrepancy, on_sale"
        ]
    );
}

#[test]
fn wrong_values_of_the_server_are_refused() {
    let listen = "expected ADDRESS:PORT, such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::1]:8080\"";
    let public_url = "expected the http or https address under which platforms and customers reach the gateway, such as \
         \"https://insurer.example.com\", without query, user or password";
    let duration = "expected a whole number from 1 to 3600000";
    for (line, expected) in [
        ("listen = 8080", format!("2: server.listen: 8080; {listen}")),
        ("listen = \"localhost:8080\"", format!("2: server.listen: \"localhost:8080\"; {listen}")),
        (
            "listen = \"0.0.0.0:80\"",
            format!("1: server.public_url: absent; {public_url}, since nobody can call 0.0.0.0"),
        ),
        ("public_url = \"ftp://x\"", format!("2: server.public_url: \"ftp://x\"; {public_url}")),
        ("public_url = true", format!("2: server.public_url: true; {public_url}")),
        ("body_limit_bytes = 0", "2: server.body_limit_bytes: 0; expected a whole number from 1 to 67108864".into()),
        ("header_timeout_ms = \"3s\"", format!("2: server.header_timeout_ms: \"3s\"; {duration}")),
        ("body_timeout_ms = 0.5", format!("2: server.body_timeout_ms: 0.5; {duration}")),
        ("request_deadline_ms = -1", format!("2: server.request_deadline_ms: -1; {duration}")),
        (
            "shutdown_grace_ms = 99999999999999999999",
            format!("2: server.shutdown_grace_ms: 99999999999999999999; {duration}"),
        ),
        (
            "waiting_limit = 2026-01-01",
            "2: server.waiting_limit: 2026-01-01; expected a whole number from 1 to 1000000".into(),
        ),
        (
            "connection_limit = []",
            "2: server.connection_limit: a list; expected a whole number from 1 to 1000000".into(),
        ),
    ] {
        assert_eq!(told_before(&format!("[server]\n{line}")), [expected], "{line}");
    }
    assert_eq!(told_before("server = 1"), ["1: server: 1; expected a table, [server]"]);
    assert_eq!(told_before("[[server]]"), ["1: server: a list; expected a table, [server]"]);
}

#[test]
fn wrong_values_of_log_ledger_traffic_and_documents_are_refused() {
    let url = "expected \"sqlite:PATH\", such as \"sqlite:ledger.db\", or \"postgres://USER@HOST/DATABASE\"";
    let count = "expected a whole number from 1 to";
    for (lines, expected) in [
        ("[log]\nformat = \"xml\"", "2: log.format: \"xml\"; expected \"text\" or \"json\"".into()),
        (
            "[log]\nlevel = \"INFO\"",
            "2: log.level: \"INFO\"; expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\"".into(),
        ),
        ("[ledger]\nurl = \"ledger.db\"", format!("2: ledger.url: \"ledger.db\"; {url}")),
        ("[ledger]\nurl = \"sqlite:\"", format!("2: ledger.url: \"sqlite:\"; {url}")),
        ("[ledger]\nurl = \"sqlite:a.db?mode=ro\"", format!("2: ledger.url: \"sqlite:a.db?mode=ro\"; {url}")),
        (
            "[ledger]\nurl = \"sqlite::memory:\"",
            format!("2: ledger.url: \"sqlite::memory:\"; {url}: a ledger in memory forgets what was issued"),
        ),
        ("[ledger]\nurl = \"mysql://me:hidden@db/ledger\"", format!("2: ledger.url: the scheme \"mysql\"; {url}")),
        (
            "[ledger]\nurl = \"postgres://me:hidden@db/ledger?sslmode=prefer\"",
            "2: ledger.url: sslmode=prefer, which whoever listens in between can turn off; expected sslmode=require (the \
             server's name is always verified), or sslmode=disable for a database that is reached over no network or a \
             trusted one"
                .into(),
        ),
        (
            "[ledger]\nurl = \"sqlite:a.db\"\nlanes = 2",
            "3: ledger.lanes: a key of PostgreSQL's; expected it with ledger.url = \"postgres://…\" alone".into(),
        ),
        (
            "[ledger]\nkeys = \"\"",
            "2: ledger.keys: \"\"; expected the path of the key file, such as \"keys.toml\"".into(),
        ),
        ("[traffic]\nstranger_records = 0", format!("2: traffic.stranger_records: 0; {count} 10000000")),
        (
            "[traffic]\nmessages_kept_d = 0",
            format!("2: traffic.messages_kept_d: 0; {count} 36500"),
        ),
        (
            "[traffic]\nstranger_records_per_minute = 0",
            format!("2: traffic.stranger_records_per_minute: 0; {count} 1000000"),
        ),
        ("[traffic]\nstranger_body_bytes = 0", format!("2: traffic.stranger_body_bytes: 0; {count} 1048576")),
        ("[documents]\ntemplate = 1", "2: documents.template: 1; expected the path of an SVG template".into()),
        (
            "[documents]\ntemplate = \"no/such.svg\"",
            "2: documents.template: \"no/such.svg\"; expected the path of an SVG template: there is no file \
             /etc/baoqiao/no/such.svg"
                .into(),
        ),
    ] {
        assert_eq!(told_before(lines), [expected], "{lines}");
    }
}

#[test]
fn the_insurer_has_a_name() {
    let expected = "expected the insurer's full name, as on its policies";
    for (to, came) in [("", "1: insurer.name: absent"), ("name = \" \"", "2: insurer.name: \" \"")] {
        assert_eq!(told_with("name = \"示例保险\"", to), [format!("{came}; {expected}")]);
    }
    assert_eq!(
        told_with("name = \"示例保险\"", "name = \"示例保险\"\nhotline = \"a\\nb\""),
        ["3: insurer.hotline: \"a\\nb\"; expected one line of text"]
    );
}

#[test]
fn wrong_partners_are_refused() {
    let names = "of at most 64 letters, digits, hyphens, underscores and dots";
    let id = format!("an id {names}, such as \"alibaba\"");
    for (from, to, expected) in [
        ("id = \"alibaba\"", "", format!("3: partner.id: absent; expected {id}")),
        (
            "app_key = \"12345678\"",
            "app_key = 12345678",
            format!("5: partner.app_key: 12345678; expected an app key {names}"),
        ),
        ("app_key = \"12345678\"", "app_key = \"\"", format!("5: partner.app_key: \"\"; expected an app key {names}")),
        (
            "secrets",
            "sign_methods = [\"md5\", \"sha1\"]\nsecrets",
            "6: partner.sign_methods: \"sha1\"; expected a list of \"md5\", \"hmac\" and \"hmac-sha256\"".into(),
        ),
        (
            "secrets",
            "sign_methods = []\nsecrets",
            "6: partner.sign_methods: an empty list; expected a list of \"md5\", \"hmac\" and \"hmac-sha256\"".into(),
        ),
        (
            "secrets",
            "sign_methods = [\n\"md5\",\n\"md5\"]\nsecrets",
            "8: partner.sign_methods: \"md5\"; expected each value once".into(),
        ),
        (
            "secrets",
            "timestamp_window_s = 0\nsecrets",
            "6: partner.timestamp_window_s: 0; expected a whole number from 1 to 86400".into(),
        ),
        (
            "[[partner]]",
            "[partner]",
            "3: partner: a table; expected at least one [[partner]], in double brackets".into(),
        ),
    ] {
        assert_eq!(told_with(from, to).first(), Some(&expected), "{to}");
    }
    let twice = MINIMAL.replace(
        "[[product]]",
        "[[partner]]\nid = \"alibaba\"\napp_key = \"12345678\"\nsecrets = [\"a\"]\n[[product]]",
    );
    assert_eq!(
        told(&twice),
        [
            "8: partner.id: \"alibaba\"; expected an id of its own: it stands above already",
            "9: partner.app_key: \"12345678\"; expected an app key of its own: it stands above already",
        ]
    );
}

#[test]
fn wrong_secrets_are_refused_and_never_shown() {
    let count = "a list of one secret, or of two while they are rotated";
    let one = "a secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }";
    let content = "a secret of 1 to 1024 bytes without control characters and without blanks at its ends";
    let variable = "the NAME of an environment variable, in A to Z, 0 to 9 and _";
    for (to, expected) in [
        ("", format!("3: partner.secrets: absent; expected {count}")),
        ("secrets = []", format!("6: partner.secrets: an empty list; expected {count}")),
        ("secrets = \"hidden\"", format!("6: partner.secrets: no list; expected {count}")),
        ("secrets = [\"a\", \"b\", \"c\"]", format!("6: partner.secrets: 3 secrets; expected {count}")),
        (
            "secrets = [\"hidden\",\n\"hidden\"]",
            "7: partner.secrets: the same secret again; expected two that differ".into(),
        ),
        ("secrets = [\"\"]", format!("6: partner.secrets: the text is empty; expected {content}")),
        (
            "secrets = [\"hidden \"]",
            format!("6: partner.secrets: the text has a blank or a line break at an end; expected {content}"),
        ),
        (
            "secrets = [\"hid\\tden\"]",
            format!("6: partner.secrets: the text has a line break or another control character inside; expected {content}"),
        ),
        ("secrets = [12345]", format!("6: partner.secrets: neither text nor table; expected {one}")),
        ("secrets = [{}]", format!("6: partner.secrets: neither env nor file; expected {one}")),
        ("secrets = [{ env = \"A\", file = \"b\" }]", format!("6: partner.secrets: both env and file; expected {one}")),
        (
            "secrets = [{ env = \"hidden\" }]",
            format!("6: partner.secrets.env: not a variable's name; expected {variable}"),
        ),
        (
            "secrets = [{ env = \"UNSET\" }]",
            "6: partner.secrets.env: UNSET is not set; expected an environment variable that holds the secret".into(),
        ),
        ("secrets = [{ env = \"EMPTY\" }]", format!("6: partner.secrets.env: EMPTY is empty; expected {content}")),
        (
            "secrets = [{ env = \"BLANK\" }]",
            format!("6: partner.secrets.env: BLANK has a blank or a line break at an end; expected {content}"),
        ),
        (
            "secrets = [{ file = \"no-such\" }]",
            "6: partner.secrets.file: /etc/baoqiao/no-such: No such file or directory (os error 2); expected the path of a \
             file that holds the secret"
                .into(),
        ),
    ] {
        assert_eq!(told_with("secrets = [\"hidden-one\"]", to), [expected], "{to}");
    }
}

#[test]
fn spare_secrets_are_never_live_ones_and_never_shown() {
    let spare = "a list of one to eight secrets";
    for (key, to, expected) in [
        ("previous_secrets", "[]", format!("an empty list; expected {spare}")),
        ("previous_secrets", "\"hidden\"", format!("no list; expected {spare}")),
        (
            "sandbox_secrets",
            "[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]",
            format!("9 secrets; expected {spare}"),
        ),
        ("sandbox_secrets", "[\"hidden\", \"hidden\"]", "the same secret again; expected each once".to_owned()),
        (
            "previous_secrets",
            "[\"other\", \"hidden-one\"]",
            "one that is among secrets; expected secrets that are no longer accepted, or never were".to_owned(),
        ),
    ] {
        let with = format!("secrets = [\"hidden-one\"]\n{key} = {to}");
        assert_eq!(told_with("secrets = [\"hidden-one\"]", &with), [format!("7: partner.{key}: {expected}")], "{to}");
    }
}

#[test]
fn wrong_products_are_refused() {
    let amount = "an amount in yuan as text, such as \"0.01\", of at most 14 digits, 8 of them after the point";
    for (from, to, expected) in [
        (
            "code = \"CES\"",
            "",
            "7: product.code: absent; expected a product code of at most 64 letters, digits, hyphens, underscores and dots".into(),
        ),
        ("name = \"信用保险\"", "name = 1", "9: product.name: 1; expected the product's name, as on its policies".into()),
        ("\"CESI\"", "\"ces\"", "10: product.policy_prefix: \"ces\"; expected one to eight letters A to Z, such as \"PBDI\"".into()),
        (
            "partners = [\"alibaba\"]",
            "partners = [\"alibabba\"]",
            "11: product.partners: \"alibabba\"; expected the id of a [[partner]], perhaps \"alibaba\"".into(),
        ),
        (
            "partners = [\"alibaba\"]",
            "partners = [\"taobao\"]",
            "11: product.partners: \"taobao\"; expected the id of a [[partner]]".into(),
        ),
        (
            "partners = [\"alibaba\"]",
            "partners = []",
            "11: product.partners: an empty list; expected a list of the ids of [[partner]]".into(),
        ),
        (
            "sum_insured_cny",
            "currencies = [\"RMB\"]\nsum_insured_cny",
            "12: product.currencies: \"RMB\"; expected a list of ISO 4217 codes, such as [\"CNY\", \"USD\"]".into(),
        ),
        ("max = \"100\"", "max = 100", format!("12: product.sum_insured_cny.max: 100; expected {amount}")),
        ("max = \"100\"", "max = \"-1\"", format!("12: product.sum_insured_cny.max: \"-1\"; expected {amount}")),
        (
            "max = \"100\"",
            "max = \"0.001\"",
            "12: product.sum_insured_cny.max: \"0.001\"; expected no less than min, \"0.01\"".into(),
        ),
        (
            "{ min = \"0.01\", max = \"10\" }",
            "{ min = \"0\", max = \"0.00\" }",
            "13: product.premium_cny.max: \"0.00\"; expected an amount above zero".into(),
        ),
        ("min = \"0.01\", max = \"100\"", "max = \"100\"", format!("12: product.sum_insured_cny.min: absent; expected {amount}")),
        (
            "{ min = \"0.01\", max = \"10\" }",
            "\"10\"",
            "13: product.premium_cny: \"10\"; expected a range, such as { min = \"0.01\", max = \"1000000\" }".into(),
        ),
        (
            "sum_insured_cny",
            "premium_tolerance = 0.01\nsum_insured_cny",
            format!("12: product.premium_tolerance: 0.01; expected {amount}"),
        ),
    ] {
        assert_eq!(told_with(from, to), [expected], "{to}");
    }
    let product = MINIMAL.split_at(MINIMAL.find("[[product]]").unwrap()).1;
    assert_eq!(
        told(&format!("{MINIMAL}{product}")),
        ["15: product.code: \"CES\"; expected a product code of its own: it stands above already"]
    );
    let shared_prefix = format!("{MINIMAL}{}", product.replace("\"CES\"", "\"CES2\""));
    assert_eq!(parse(&shared_prefix).unwrap().catalogue.products().count(), 2);
}

#[test]
fn all_problems_of_a_file_are_told_in_the_order_of_its_lines() {
    assert_eq!(
        told(""),
        [
            "1: insurer.name: absent; expected the insurer's full name, as on its policies",
            "1: partner: absent; expected at least one [[partner]]",
            "1: product: absent; expected at least one [[product]]",
        ]
    );
    let broken = MINIMAL.replace("name = \"信用保险\"", "nam = \"信用保险\"").replace("id = \"alibaba\"", "id = \"\"");
    let lines: Vec<_> = told(&broken).iter().map(|line| line.split_once("; ").unwrap().0.to_owned()).collect();
    assert_eq!(
        lines,
        [
            "4: partner.id: \"\"",
            "7: product.name: absent",
            "9: product.nam: unknown key",
            "11: product.partners: \"alibaba\""
        ]
    );
}

#[test]
fn what_is_no_toml_is_told_by_its_foremost_line_and_without_its_content() {
    for (to, expected) in [
        ("secrets = hidden-one", "6: not TOML: string values must be quoted, expected literal string"),
        ("secrets = [\"hidden-one]", "6: not TOML: invalid basic string, expected `\"`"),
        ("secrets = [\"hidden-one\"]\nsecrets = [\"hidden-two\"]", "7: not TOML: duplicate key"),
    ] {
        assert_eq!(told_with("secrets = [\"hidden-one\"]", to), [expected]);
    }
}

#[test]
fn a_file_that_is_absent_or_not_utf_8_is_named() {
    let folder = Folder::new("unreadable");
    let absent = folder.0.join("none.toml");
    assert_eq!(
        Config::load(&absent, &env).unwrap_err().to_string(),
        format!(
            "{}: No such file or directory (os error 2); `baoqiao init --dir DIR` writes a sample",
            absent.display()
        )
    );
    let gbk = folder.write("gbk.toml", b"[insurer]\nname = \"\xca\xbe\xc0\xfd\"\n");
    assert_eq!(
        Config::load(&gbk, &env).unwrap_err().to_string(),
        format!("{}:2: bytes that are not UTF-8; expected the file saved as UTF-8, not as GBK", gbk.display())
    );
}

#[test]
fn a_platform_says_where_how_and_with_what() {
    let told_of = |from: &str, to: &str| {
        assert!(PLATFORM.contains(from), "{from}");
        let told = told(&PLATFORM.replacen(from, to, 1).replace("[[platform]]", &format!("{MINIMAL}[[platform]]")));
        assert!(!told.join("\n").contains("hidden"), "{told:?}");
        told.into_iter().map(|line| line.split_once(": ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let url = "platform.url: \"eco.taobao.com\"; expected the platform's http or https address without a query, such as \
               \"https://eco.taobao.com/router/rest\"";
    assert_eq!(told_of("http://127.0.0.1:1/router/rest", "eco.taobao.com"), [url]);
    let secret = "platform.secret: absent; expected a secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }";
    assert_eq!(told_of("secret = \"hidden-two\"\n", ""), [secret]);
    let method = "platform.sign_method: \"sha1\"; expected \"md5\", \"hmac\" or \"hmac-sha256\"";
    assert_eq!(told_of("id = ", "sign_method = \"sha1\"\nid = "), [method]);
    let twice = format!("{PLATFORM}{}", PLATFORM.replace("alibaba", "other"));
    let key =
        "platform.app_key: \"1\"; expected an app key of its own, since rates are kept by it: it stands above already";
    assert!(told(&format!("{MINIMAL}{twice}"))[0].ends_with(key));
    let shorter = told_before("[outbox]\nfirst_retry_ms = 5000\nlongest_retry_ms = 1000");
    assert_eq!(shorter, ["3: outbox.longest_retry_ms: 1000; expected no less than first_retry_ms, 5000"]);
}

#[test]
fn no_file_is_too_broken_to_be_told_about() {
    let text = format!("[server]\nlisten = \"127.0.0.1:1\"\nwaiting_limit = 1\n{MINIMAL}");
    let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    for window in boundaries.windows(2) {
        let (before, after) = (&text[..window[0]], &text[window[1]..]);
        for instead in ["", "\"", "[", "]", "{", "=", ".", "\n", "0", "-", "保", "\0"] {
            if let Err(error) = parse(&format!("{before}{instead}{after}")) {
                let told = error.to_string();
                assert!(!told.contains("hidden"), "{told}");
                assert!(told.lines().all(|line| line.starts_with("/etc/baoqiao/b.toml:")), "{told}");
            }
        }
        let _ = parse(before);
    }
}

#[test]
fn wrong_values_of_a_policy_source_and_of_recoveries_are_refused() {
    let addresses = "expected a list of addresses and CIDR ranges, such as [\"192.0.2.0/24\", \"2001:db8::1\"]";
    let source = "[[policy_source]]\ncode = \"HN\"\nallowed_addresses = [\"127.0.0.1\"]\npartners = [\"alibaba\"]\n";
    let told_of = |from: &str, to: &str| {
        assert!(source.contains(from), "{from}");
        told(&format!("{MINIMAL}{}", source.replace(from, to)))
    };
    let first = MINIMAL.lines().count() + 1;
    let at = |offset: usize, text: &str| vec![format!("{}: {text}", first + offset)];
    assert!(parse(&format!("{MINIMAL}{source}")).is_ok());
    assert_eq!(
        told_of("\"127.0.0.1\"", "\"10.1.2.3/8\""),
        at(2, &format!("policy_source.allowed_addresses: \"10.1.2.3/8\"; {addresses}"))
    );
    assert_eq!(
        told_of("[\"127.0.0.1\"]", "[]"),
        at(2, &format!("policy_source.allowed_addresses: an empty list; {addresses}"))
    );
    assert_eq!(
        told_of("\"alibaba\"", "\"alibabba\""),
        at(3, "policy_source.partners: \"alibabba\"; expected the id of a [[partner]], perhaps \"alibaba\"")
    );
    assert_eq!(
        told_of("partners = [\"alibaba\"]\n", "partners = [\"alibaba\"]\nproducts = [\"CSE\"]\n"),
        at(4, "policy_source.products: \"CSE\"; expected the code of a [[product]]")
    );
    assert_eq!(
        told_with("policy_prefix", "recovery_discrepancy = \"keep\"\npolicy_prefix"),
        ["10: product.recovery_discrepancy: \"keep\"; expected \"record\" or \"refuse\""]
    );
    assert_eq!(
        told_with("app_key", "surrender_sync = \"yes\"\napp_key"),
        ["5: partner.surrender_sync: \"yes\"; expected true or false"]
    );
    let wanting = "surrender_sync = true\napp_key";
    assert_eq!(
        told_with("app_key", wanting),
        [
            "5: partner.surrender_sync: true; expected a [[platform]] with the id \"alibaba\", through which it can be told"
        ]
    );
    let told_of_platform = format!("{}{PLATFORM}", MINIMAL.replacen("app_key", wanting, 1));
    assert!(parse(&told_of_platform).is_ok());
}
