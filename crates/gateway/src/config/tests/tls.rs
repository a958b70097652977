//! `[server.tls]`, trusted proxies and client certificates: what is taken, and how the rest is refused.

use super::*;

const SOURCE: &str = r#"[[policy_source]]
code = "HN"
allowed_addresses = ["127.0.0.1"]
partners = ["alibaba"]
client_certificates = ["dns:avatar.example.com"]
"#;

fn load(folder: &Folder, before: &str, after: &str) -> Result<Config, String> {
    let path = folder.write("b.toml", format!("{before}\n{MINIMAL}{after}"));
    let prefix = format!("{}:", path.display());
    Config::load(&path, &env).map_err(|error| error.to_string().replace(&prefix, ""))
}

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    for file in ["s.pem", "s.key", "ca.pem"] {
        folder.write(file, "");
    }
    folder
}

#[test]
fn tls_and_proxies_are_read_and_the_gateways_own_address_is_https() {
    let folder = folder("tls");
    let tls = "server.trusted_proxies = [\"10.0.0.0/8\"]\n[server.tls]\ncertificate = \"s.pem\"\nkey = \"s.key\"\n\
               client_ca = \"ca.pem\"";
    let config = load(&folder, tls, SOURCE).unwrap();
    let files = config.server.tls.as_ref().unwrap();
    assert_eq!((&files.certificate, &files.key), (&folder.0.join("s.pem"), &folder.0.join("s.key")));
    assert_eq!(files.client_ca, Some(folder.0.join("ca.pem")));
    assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(config.server.public_url_at("127.0.0.1:8443".parse().unwrap()), "https://127.0.0.1:8443");
    let source = config.access.source("HN").unwrap();
    assert_eq!(source.client_certificates, ["dns:avatar.example.com".parse().unwrap()]);
    assert_eq!(parse(MINIMAL).unwrap().server.tls, None);
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let folder = folder("tls-refused");
    let told = |before: &str, after: &str| load(&folder, before, after).unwrap_err();
    let pem = "expected the path of a PEM file with the gateway's certificate and those of its issuers";
    assert_eq!(told("[server.tls]\nkey = \"s.key\"", ""), format!("1: server.tls.certificate: absent; {pem}"));
    let absent = folder.0.join("x.pem").display().to_string();
    assert_eq!(
        told("[server.tls]\ncertificate = \"x.pem\"\nkey = \"s.key\"", ""),
        format!("2: server.tls.certificate: \"x.pem\"; {pem}: there is no file {absent}")
    );
    assert_eq!(
        told("server.tls = true", ""),
        "1: server.tls: true; expected a table, [server.tls]\n1: server.tls.certificate: absent; expected the path of a PEM file with the gateway's certificate and those of its issuers\n1: server.tls.key: absent; expected the path of a PEM file with the certificate's private key"
    );
    let line = MINIMAL.lines().count() + 6;
    let nobody_asked = "policy_source.client_certificates: client certificates; expected server.tls.client_ca to be set, since nobody \
         is asked for one otherwise";
    assert_eq!(told("", SOURCE), format!("{line}: {nobody_asked}"));
    let tls = "server.tls = { certificate = \"s.pem\", key = \"s.key\", client_ca = \"ca.pem\" }";
    let pattern = SOURCE.replace("dns:avatar", "dns:*");
    assert!(
        told(tls, &pattern).starts_with(&format!(
            "{line}: policy_source.client_certificates: \"dns:*.example.com\"; expected a list of \"sha256:…\""
        )),
        "{}",
        told(tls, &pattern)
    );
    assert_eq!(
        told("server.trusted_proxies = [\"0.0.0.0/0\"]", ""),
        "1: server.trusted_proxies: every address; expected the proxies alone: whoever is trusted may say who calls"
    );
    assert_eq!(
        told("server.trusted_proxies = [\"proxy\"]", ""),
        "1: server.trusted_proxies: \"proxy\"; expected a list of addresses and CIDR ranges of proxies, such as \
         [\"10.0.0.0/24\"]"
    );
}
