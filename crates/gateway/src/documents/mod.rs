//! Electronic policy documents: laid out on first request, kept sealed in the ledger, the same for ever after.

mod content;

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use baoqiao_documents::{DocumentInfo, Fonts, RenderError, Template, render};
use baoqiao_domain::issuing::PolicyApplication;
use baoqiao_domain::policy_number::PolicyNumber;

use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::ledger::store::{DocumentRow, PolicyRecord, Reader, StoreError};
use crate::vault::{Link, Purpose, Vault, VaultError};

/// What the insurer writes on every document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insurer {
    /// Its full name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its telephone number for customers.
    pub hotline: String,
}

/// The addresses that messages and documents carry.
#[derive(Clone)]
pub struct Links {
    /// What the world calls the gateway, without a slash at its end.
    pub public_url: String,
    /// Makes the tokens.
    pub vault: Arc<Vault>,
}

impl Links {
    /// A policy's document.
    pub fn document(&self, policy_no: &PolicyNumber) -> String {
        let token = self.vault.link_token(Link::Document, policy_no.as_str());
        format!("{}/documents/{policy_no}-{token}.pdf", self.public_url)
    }

    /// A policy's verification page.
    pub fn verification(&self, policy_no: &PolicyNumber) -> String {
        let token = self.vault.link_token(Link::Verification, policy_no.as_str());
        format!("{}/verify/{policy_no}-{token}", self.public_url)
    }

    /// The policy that the last part of an address is about, where its token is right.
    pub fn subject(&self, link: Link, address: &str) -> Option<PolicyNumber> {
        let (policy_no, token) = address.split_once('-')?;
        let right = self.vault.is_link_token(link, policy_no, token);
        policy_no.parse().ok().filter(|_| right)
    }
}

/// A document as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The PDF.
    pub pdf: Vec<u8>,
    /// SHA-256 of the PDF.
    pub sha256: [u8; 32],
}

/// Why a document cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the ledger holds does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What the ledger holds does not read.
    #[error("a policy's content does not read: {0}")]
    Content(#[from] serde_json::Error),
    /// The page cannot be laid out.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The kept document is not the one that was made.
    #[error("the document kept for policy {0} does not have its hash")]
    Altered(PolicyNumber),
    /// The document was kept, and is not there.
    #[error("the document made for policy {0} is not in the ledger")]
    NotKept(PolicyNumber),
    /// The task that made it ended.
    #[error("making a document was cut off")]
    CutOff,
    /// The ledger was not read in time.
    #[error("the ledger did not answer in time")]
    Late,
}

/// Makes, keeps and finds documents.
pub struct Documents {
    /// Where policies and documents are read.
    pub reader: Arc<dyn Reader>,
    /// Where documents are kept.
    pub ledger: Ledger,
    /// Opens contents, seals documents.
    pub vault: Arc<Vault>,
    /// The addresses.
    pub links: Links,
    /// What is written on every document.
    pub insurer: Insurer,
    /// Names of the products by their codes.
    pub catalogue: Arc<baoqiao_domain::product::Catalogue>,
    /// The layout.
    pub template: Template,
    /// SHA-256 of the template's file.
    pub template_sha256: [u8; 32],
    /// The fonts.
    pub fonts: Arc<Fonts>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many may be laid out at once.
    pub making: Arc<Semaphore>,
    /// How long the ledger is waited for.
    pub deadline: Duration,
}

impl Documents {
    /// The document of a policy, `None` where there is no such policy. Made and kept if it is asked for the first time.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub async fn of_policy(self: &Arc<Self>, policy_no: PolicyNumber) -> Result<Option<Document>, DocumentError> {
        let record = match self.read(move |this| this.find(&policy_no)).await? {
            Found::Nothing => return Ok(None),
            Found::Kept(document) => return Ok(Some(document)),
            Found::NotMade(record) => record,
        };
        self.first(record).await.map(Some)
    }

    /// Makes a policy's document and keeps it. The one that is returned is the one that is kept, by whomever: another
    /// gateway, with another template perhaps, may have been first.
    pub(crate) async fn first(self: &Arc<Self>, record: Box<PolicyRecord>) -> Result<Document, DocumentError> {
        let policy_no = record.policy.number.clone();
        let turn = Arc::clone(&self.making).acquire_owned().await.map_err(|_| DocumentError::CutOff)?;
        let this = Arc::clone(self);
        // The turn ends with the work, also when the caller has gone.
        let made = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            this.make(&record)
        });
        let row = made.await.map_err(|_| DocumentError::CutOff)??;
        self.ledger.keep_document(row, self.deadline).await?;
        self.read(move |this| this.kept(&policy_no)?.ok_or(DocumentError::NotKept(policy_no))).await
    }

    /// A policy as the verification page tells it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn policy(self: &Arc<Self>, policy_no: PolicyNumber) -> Result<Option<PolicyRecord>, DocumentError> {
        self.read(move |this| Ok(this.reader.policy(&policy_no)?)).await
    }

    /// Runs what blocks on a thread that may, and waits for it for as long as there is time.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Self) -> Result<T, DocumentError> + Send + 'static,
    ) -> Result<T, DocumentError> {
        let this = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || query(&this));
        let read = tokio::time::timeout(self.deadline, reading).await.map_err(|_| DocumentError::Late)?;
        read.map_err(|_| DocumentError::CutOff)?
    }

    /// A product's name; its code where no product of that code is configured.
    pub fn product_name<'a>(&'a self, code: &'a str) -> &'a str {
        self.catalogue.product(code).map_or(code, |product| &product.name)
    }

    fn find(&self, policy_no: &PolicyNumber) -> Result<Found, DocumentError> {
        let Some(record) = self.reader.policy(policy_no)? else { return Ok(Found::Nothing) };
        Ok(self.kept(policy_no)?.map_or_else(|| Found::NotMade(Box::new(record)), Found::Kept))
    }

    fn kept(&self, policy_no: &PolicyNumber) -> Result<Option<Document>, DocumentError> {
        let Some(kept) = self.reader.document(policy_no)? else { return Ok(None) };
        let pdf = self.vault.open(Purpose::Document, &kept.pdf)?;
        if <[u8; 32]>::from(Sha256::digest(&pdf)) != kept.sha256 {
            return Err(DocumentError::Altered(policy_no.clone()));
        }
        Ok(Some(Document { pdf, sha256: kept.sha256 }))
    }

    fn make(&self, record: &PolicyRecord) -> Result<DocumentRow, DocumentError> {
        let policy = &record.policy;
        let content = self.vault.open(Purpose::Content, &record.content)?;
        let application: PolicyApplication = serde_json::from_slice(&content)?;
        let product = self.catalogue.product(&policy.product_code);
        let product_name = product.map_or(policy.product_code.as_str(), |product| &product.name);
        let page = content::Page {
            policy,
            application: &application,
            product_name,
            insurer: &self.insurer,
            verify_url: &self.links.verification(&policy.number),
        };
        let info = DocumentInfo {
            title: format!("{product_name}电子保单 {}", policy.number),
            author: self.insurer.name.clone(),
            created: policy.issued_at,
        };
        let rendered = render(&self.template, &page.fields(), &self.fonts, &info)?;
        if !rendered.missing.is_empty() || !rendered.shortened.is_empty() {
            let (missing, shortened) = (rendered.missing.len(), rendered.shortened.join(","));
            tracing::warn!(policy_no = %policy.number, missing, shortened, "a document does not show all of its policy");
        }
        Ok(DocumentRow {
            policy_no: policy.number.clone(),
            sha256: Sha256::digest(&rendered.pdf).into(),
            template_sha256: self.template_sha256,
            made_at: self.clock.now(),
            pdf: self.vault.seal(Purpose::Document, &rendered.pdf)?,
        })
    }
}

enum Found {
    Nothing,
    Kept(Document),
    NotMade(Box<PolicyRecord>),
}
