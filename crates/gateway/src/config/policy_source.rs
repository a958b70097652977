//! `[[policy_source]]`: the channels that give notice of rescissions, how each is known, and what each may do.

use baoqiao_channels::access::SourceAccess;
use baoqiao_channels::origin::CertificateIdentity;
use baoqiao_domain::source::PolicySource;

use super::partner::once;
use super::product::{EXPECTED_PARTNERS, partner_id};
use super::reader::{Item, Section, name};
use super::secret;
use super::suggest::nearest;

pub(super) const EXPECTED_CODE: &str =
    "a policySource of at most 64 letters, digits, hyphens, underscores and dots, such as \"HN_HT_QNW\"";
const EXPECTED_ADDRESSES: &str = "a list of addresses and CIDR ranges, such as [\"192.0.2.0/24\", \"2001:db8::1\"]";
const EXPECTED_CERTIFICATES: &str = "a list of \"sha256:…\" (64 hexadecimal digits), \"dns:…\", \"uri:…\" and \"cn:…\", each for one \
     certificate";
const EXPECTED_PRODUCTS: &str = "a list of the codes of [[product]]";

/// The sources of the file in which nothing is missing.
pub(super) fn read_all(
    root: &Section<'_>,
    partner_ids: &[String],
    product_codes: &[String],
    has_client_ca: bool,
) -> Vec<(SourceAccess, PolicySource)> {
    let mut codes = Vec::new();
    let sources = root.optional_sections("policy_source", |section| {
        let code = section.text("code", EXPECTED_CODE, name);
        once(&mut codes, code, section.item("code"), "a policySource of its own");
        let addresses = section
            .required_item("allowed_addresses", EXPECTED_ADDRESSES)
            .and_then(|item| item.texts(EXPECTED_ADDRESSES, |item| item.text(EXPECTED_ADDRESSES, |t| t.parse().ok())));
        let client_certificates = section
            .item("client_certificates")
            .map_or_else(|| Some(Vec::new()), |item| certificates(&item, has_client_ca));
        let hmac_secrets = section.item("hmac_secrets").map_or_else(|| Some(Vec::new()), |item| secret::list(&item));
        let partners = section
            .required_item("partners", EXPECTED_PARTNERS)
            .and_then(|item| item.texts(EXPECTED_PARTNERS, |item| partner_id(item, partner_ids)));
        let products = section.item("products").map_or(Some(None), |item| {
            item.texts(EXPECTED_PRODUCTS, |item| product_code(item, product_codes)).map(Some)
        });
        let access = SourceAccess {
            code: code?.to_owned(),
            addresses: addresses?,
            client_certificates: client_certificates?,
            hmac_secrets: hmac_secrets?,
        };
        let rights = PolicySource { code: access.code.clone(), partners: partners?, products: products? };
        Some((access, rights))
    });
    sources.into_iter().flatten().collect()
}

fn certificates(item: &Item<'_>, has_client_ca: bool) -> Option<Vec<CertificateIdentity>> {
    if !has_client_ca {
        item.refuse_as(
            "client certificates",
            "server.tls.client_ca to be set, since nobody is asked for one otherwise",
        );
    }
    item.texts(EXPECTED_CERTIFICATES, |item| item.text(EXPECTED_CERTIFICATES, |text| text.parse().ok()))
}

fn product_code(item: &Item<'_>, codes: &[String]) -> Option<String> {
    let code = item.text(EXPECTED_PRODUCTS, Some)?;
    if !codes.iter().any(|known| known == code) {
        match nearest(code, codes.iter().map(String::as_str)) {
            Some(meant) => item.refuse(format_args!("the code of a [[product]], perhaps {meant:?}")),
            None => item.refuse("the code of a [[product]]"),
        }
    }
    Some(code.to_owned())
}
