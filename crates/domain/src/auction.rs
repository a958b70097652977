//! 拍卖保险: insurance that goes with an auction, told to the platform stage by stage.
//!
//! From the document `taobao.auction.insurance.insuranceresultcallback`, which names the stages and not their
//! order. The order is this module's, in one table: [`AuctionStage::may_follow`]. Only a success moves a case;
//! a failed stage leaves it where it was, so the stage may be tried again. One auction may carry both kinds of
//! insurance, and each goes its own way.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::time::format_gmt8;

/// A number that is none of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{number} is none of the values of {field}: {expected}")]
pub struct UnknownNumber {
    /// The field's name in the document.
    pub field: &'static str,
    /// What came.
    pub number: u8,
    /// The document's values.
    pub expected: &'static str,
}

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident of $field:literal, $expected:literal {
        $($(#[$value_doc:meta])* $value:ident = $number:literal $label:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u8", into = "u8")]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
        }

        impl $name {
            /// Every value, in the document's order.
            pub const ALL: &[Self] = &[$(Self::$value),*];

            /// What the field may say.
            pub const EXPECTED: &str = $expected;

            /// The document's number.
            pub fn number(self) -> u8 {
                match self {
                    $(Self::$value => $number,)*
                }
            }

            /// The document's Chinese name.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$value => $label,)*
                }
            }
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> Self {
                value.number()
            }
        }

        impl TryFrom<u8> for $name {
            type Error = UnknownNumber;
            fn try_from(number: u8) -> Result<Self, UnknownNumber> {
                let unknown = UnknownNumber { field: $field, number, expected: Self::EXPECTED };
                Self::ALL.iter().copied().find(|value| value.number() == number).ok_or(unknown)
            }
        }
    };
}

numbered! {
    /// 保险阶段.
    AuctionStage of "stage", "1（预保）、2（核保）、3（投保）、4（退保）或 5（批改）" {
        /// 预保: offered, before anything is bound.
        PreInsurance = 1 "预保",
        /// 核保: underwriting.
        Underwriting = 2 "核保",
        /// 投保: insured, the policy is there.
        Insuring = 3 "投保",
        /// 退保: surrendered, the end.
        Surrender = 4 "退保",
        /// 批改: endorsed.
        Endorsement = 5 "批改",
    }
}

numbered! {
    /// 状态.
    AuctionStatus of "status", "1（成功）或 2（失败）" {
        /// 成功.
        Success = 1 "成功",
        /// 失败.
        Failure = 2 "失败",
    }
}

numbered! {
    /// 保险类型.
    AuctionInsuranceType of "insurance_type", "1（家财险）或 2（履约险）" {
        /// 家财险: household property.
        HouseholdProperty = 1 "家财险",
        /// 履约险: performance of the purchase.
        Performance = 2 "履约险",
    }
}

impl AuctionStage {
    /// The stages that may be reported, with either status, once `self` is the last that succeeded.
    ///
    /// The table, `None` being a case of which nothing has succeeded yet:
    ///
    /// | last success | may follow |
    /// | --- | --- |
    /// | none | 预保 |
    /// | 预保 | 核保 |
    /// | 核保 | 投保 |
    /// | 投保 | 批改, 退保 |
    /// | 批改 | 批改, 退保 |
    /// | 退保 | nothing |
    pub fn may_follow(last_success: Option<Self>) -> &'static [Self] {
        match last_success {
            None => &[Self::PreInsurance],
            Some(Self::PreInsurance) => &[Self::Underwriting],
            Some(Self::Underwriting) => &[Self::Insuring],
            Some(Self::Insuring | Self::Endorsement) => &[Self::Endorsement, Self::Surrender],
            Some(Self::Surrender) => &[],
        }
    }
}

/// One stage's result, as the platform is told: `insurance_result_a_p_i_request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuctionNotice {
    /// 拍卖业务编号.
    pub biz_id: String,
    /// 保险单号.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy_number: Option<String>,
    /// 保险公司: the platform's number of the insurer, of which the document gives one, 1 太保.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub insurance_company: Option<u32>,
    /// 保险阶段.
    pub stage: AuctionStage,
    /// 状态.
    pub status: AuctionStatus,
    /// 发生时间; the platform is told the second.
    pub time_of_occurrence: Timestamp,
    /// 客户经理姓名: a person's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bank_account_manager_name: Option<String>,
    /// 保险单 PDF 文件, such as `oss:aakkloi122`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub insurance_document: Option<String>,
    /// 保险类型.
    pub insurance_type: AuctionInsuranceType,
    /// `appkey`, as the core system gives it; the call's own `app_key` is a system parameter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub appkey: Option<String>,
    /// `request_id`, as the core system gives it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
}

/// What the core system says when a stage is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuctionReport {
    /// Who reports, by its name in the configuration: part of the content, so that one caller never gets the
    /// answer that belongs to another.
    pub caller: String,
    /// The partner whose platform is told, by its id in the configuration.
    pub partner: String,
    /// What happened.
    pub result: AuctionNotice,
}

/// How far one kind of insurance of an auction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuctionProgress {
    /// The kind.
    pub insurance_type: AuctionInsuranceType,
    /// The last stage that succeeded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_success: Option<AuctionStage>,
    /// When the last stage reported, of either status, had occurred.
    pub last_occurrence: Timestamp,
}

/// An auction as the ledger knows it: whose it is, and how far each kind of its insurance has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuctionCase {
    /// 拍卖业务编号.
    pub biz_id: String,
    /// The partner whose platform is told.
    pub partner: String,
    /// At most one of each kind of insurance.
    pub progress: Vec<AuctionProgress>,
}

/// Why a stage cannot be taken. `docs/auction-stages.md` lists the codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuctionRefusal {
    /// The auction is another partner's.
    CaseOfAnotherPartner {
        /// 拍卖业务编号.
        biz_id: String,
    },
    /// The insurance was surrendered: nothing follows.
    CaseClosed {
        /// What was reported.
        reported: AuctionStage,
    },
    /// This stage has succeeded, and does so once.
    StageAlreadySucceeded {
        /// What was reported.
        reported: AuctionStage,
    },
    /// The stage may not follow the last that succeeded.
    StageOutOfOrder {
        /// The last stage that succeeded.
        last_success: Option<AuctionStage>,
        /// What was reported.
        reported: AuctionStage,
    },
    /// The stage lies before the one that it follows.
    StageBeforePredecessor {
        /// When the one before had occurred.
        last_occurrence: Timestamp,
        /// The time reported.
        reported: Timestamp,
    },
}

impl AuctionRefusal {
    /// Its name, as answers carry it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CaseOfAnotherPartner { .. } => "AUCTION_CASE_OF_ANOTHER_PARTNER",
            Self::CaseClosed { .. } => "AUCTION_CASE_CLOSED",
            Self::StageAlreadySucceeded { .. } => "AUCTION_STAGE_ALREADY_SUCCEEDED",
            Self::StageOutOfOrder { .. } => "AUCTION_STAGE_OUT_OF_ORDER",
            Self::StageBeforePredecessor { .. } => "AUCTION_STAGE_BEFORE_PREDECESSOR",
        }
    }
}

impl fmt::Display for AuctionRefusal {
    /// What the caller is told, in Chinese.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaseOfAnotherPartner { biz_id } => write!(f, "拍卖业务 {biz_id} 属于另一合作伙伴"),
            Self::CaseClosed { reported } => write!(f, "该拍卖的此项保险已退保，不再接受“{}”", reported.label()),
            Self::StageAlreadySucceeded { reported } => write!(f, "“{}”已成功，不可再报", reported.label()),
            Self::StageOutOfOrder { last_success, reported } => {
                let expected: Vec<&str> = AuctionStage::may_follow(*last_success).iter().map(|s| s.label()).collect();
                let last =
                    last_success.map_or("尚无成功的阶段".to_owned(), |last| format!("“{}”成功后", last.label()));
                write!(f, "{last}只可报{}，收到“{}”", expected.join("或"), reported.label())
            }
            Self::StageBeforePredecessor { last_occurrence, reported } => {
                let (last, reported) = (format_gmt8(*last_occurrence), format_gmt8(*reported));
                write!(f, "发生时间 {reported} 早于上一阶段的 {last}")
            }
        }
    }
}

impl std::error::Error for AuctionRefusal {}

impl AuctionCase {
    /// The case after a report; `case` is what the ledger holds of that `biz_id`, if anything.
    ///
    /// # Errors
    /// Why the report cannot be taken, in the order of [`AuctionRefusal`]'s variants; nothing has changed then.
    pub fn after(case: Option<&Self>, report: &AuctionReport) -> Result<Self, AuctionRefusal> {
        let result = &report.result;
        let mut next = case.cloned().unwrap_or_else(|| Self {
            biz_id: result.biz_id.clone(),
            partner: report.partner.clone(),
            progress: Vec::new(),
        });
        if next.partner != report.partner {
            return Err(AuctionRefusal::CaseOfAnotherPartner { biz_id: next.biz_id });
        }
        let before = next.progress_of(result.insurance_type).copied();
        let last_success = before.and_then(|progress| progress.last_success);
        check_stage(last_success, result.stage)?;
        let last_occurrence = before.map(|progress| progress.last_occurrence);
        if let Some(last_occurrence) = last_occurrence.filter(|last| result.time_of_occurrence < *last) {
            return Err(AuctionRefusal::StageBeforePredecessor {
                last_occurrence,
                reported: result.time_of_occurrence,
            });
        }
        next.progress.retain(|progress| progress.insurance_type != result.insurance_type);
        next.progress.push(AuctionProgress {
            insurance_type: result.insurance_type,
            last_success: match result.status {
                AuctionStatus::Success => Some(result.stage),
                AuctionStatus::Failure => last_success,
            },
            last_occurrence: result.time_of_occurrence,
        });
        next.progress.sort_unstable_by_key(|progress| progress.insurance_type);
        Ok(next)
    }

    /// How far that kind of insurance has come; `None` before its first report.
    pub fn progress_of(&self, insurance_type: AuctionInsuranceType) -> Option<&AuctionProgress> {
        self.progress.iter().find(|progress| progress.insurance_type == insurance_type)
    }
}

fn check_stage(last_success: Option<AuctionStage>, reported: AuctionStage) -> Result<(), AuctionRefusal> {
    if AuctionStage::may_follow(last_success).contains(&reported) {
        return Ok(());
    }
    Err(match last_success {
        Some(AuctionStage::Surrender) => AuctionRefusal::CaseClosed { reported },
        // 预保, 核保 and 投保 come in that order only: whichever is not behind the last has succeeded, too.
        Some(last) if reported <= last.min(AuctionStage::Insuring) => {
            AuctionRefusal::StageAlreadySucceeded { reported }
        }
        _ => AuctionRefusal::StageOutOfOrder { last_success, reported },
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use AuctionStage::{Endorsement, Insuring, PreInsurance, Surrender, Underwriting};
    use AuctionStatus::{Failure, Success};

    /// The document's example.
    pub(crate) fn example() -> AuctionNotice {
        AuctionNotice {
            biz_id: "24010900100YSKSSG".to_owned(),
            policy_number: Some("12345678A".to_owned()),
            insurance_company: Some(1),
            stage: PreInsurance,
            status: Success,
            time_of_occurrence: crate::time::parse_gmt8("2025-04-08 09:55:00").unwrap(),
            bank_account_manager_name: Some("王小丫".to_owned()),
            insurance_document: Some("oss:aakkloi122".to_owned()),
            insurance_type: AuctionInsuranceType::HouseholdProperty,
            appkey: Some("xxxxx".to_owned()),
            request_id: Some("xxxxx".to_owned()),
        }
    }

    fn report(stage: AuctionStage, status: AuctionStatus) -> AuctionReport {
        let result = AuctionNotice { stage, status, ..example() };
        AuctionReport { caller: "core".to_owned(), partner: "auction".to_owned(), result }
    }

    fn case_after(stages: &[(AuctionStage, AuctionStatus)]) -> Option<AuctionCase> {
        stages.iter().fold(None, |case, (stage, status)| {
            Some(AuctionCase::after(case.as_ref(), &report(*stage, *status)).unwrap())
        })
    }

    fn path_to(stage: AuctionStage) -> Vec<(AuctionStage, AuctionStatus)> {
        let stages = match stage {
            PreInsurance => vec![PreInsurance],
            Underwriting => vec![PreInsurance, Underwriting],
            Insuring => vec![PreInsurance, Underwriting, Insuring],
            Endorsement => vec![PreInsurance, Underwriting, Insuring, Endorsement],
            Surrender => vec![PreInsurance, Underwriting, Insuring, Surrender],
        };
        stages.into_iter().map(|stage| (stage, Success)).collect()
    }

    /// Every pair of last success and stage, with either status.
    #[test]
    fn every_pair_of_stages_has_its_outcome() {
        let closed = |reported| Err(AuctionRefusal::CaseClosed { reported });
        for (last, expected) in [
            (None, [true, false, false, false, false]),
            (Some(PreInsurance), [false, true, false, false, false]),
            (Some(Underwriting), [false, false, true, false, false]),
            (Some(Insuring), [false, false, false, true, true]),
            (Some(Endorsement), [false, false, false, true, true]),
            (Some(Surrender), [false; 5]),
        ] {
            let case = last.and_then(|last| case_after(&path_to(last)));
            for (stage, taken) in AuctionStage::ALL.iter().copied().zip(expected) {
                for status in [Success, Failure] {
                    let outcome = AuctionCase::after(case.as_ref(), &report(stage, status)).map(|_| ());
                    let wanted = match last {
                        _ if taken => Ok(()),
                        Some(Surrender) => closed(stage),
                        Some(last) if path_to(last).iter().any(|(succeeded, _)| *succeeded == stage) => {
                            Err(AuctionRefusal::StageAlreadySucceeded { reported: stage })
                        }
                        _ => Err(AuctionRefusal::StageOutOfOrder { last_success: last, reported: stage }),
                    };
                    assert_eq!(outcome, wanted, "{last:?} then {stage:?} {status:?}");
                }
            }
        }
    }

    #[test]
    fn a_failure_leaves_the_case_where_it_was() {
        let case = case_after(&[(PreInsurance, Success), (Underwriting, Failure), (Underwriting, Failure)]);
        let kind = AuctionInsuranceType::HouseholdProperty;
        assert_eq!(case.as_ref().unwrap().progress_of(kind).unwrap().last_success, Some(PreInsurance));
        assert!(AuctionCase::after(case.as_ref(), &report(Insuring, Success)).is_err());
        assert!(AuctionCase::after(case.as_ref(), &report(Underwriting, Success)).is_ok());
        let surrender_failed = case_after(&[path_to(Insuring), vec![(Surrender, Failure)]].concat());
        assert!(AuctionCase::after(surrender_failed.as_ref(), &report(Endorsement, Success)).is_ok());
    }

    #[test]
    fn each_kind_of_insurance_goes_its_own_way() {
        let case = case_after(&path_to(Surrender)).unwrap();
        let mut other = report(PreInsurance, Success);
        other.result.insurance_type = AuctionInsuranceType::Performance;
        let case = AuctionCase::after(Some(&case), &other).unwrap();
        let last = |kind| case.progress_of(kind).unwrap().last_success;
        assert_eq!(last(AuctionInsuranceType::HouseholdProperty), Some(Surrender));
        assert_eq!(last(AuctionInsuranceType::Performance), Some(PreInsurance));
    }

    #[test]
    fn time_does_not_run_backwards_and_partners_do_not_meet() {
        let case = case_after(&[(PreInsurance, Success)]);
        let mut early = report(Underwriting, Success);
        early.result.time_of_occurrence = crate::time::parse_gmt8("2025-04-08 09:54:59").unwrap();
        let refusal = AuctionCase::after(case.as_ref(), &early).unwrap_err();
        assert_eq!(refusal.code(), "AUCTION_STAGE_BEFORE_PREDECESSOR");
        assert_eq!(refusal.to_string(), "发生时间 2025-04-08 09:54:59 早于上一阶段的 2025-04-08 09:55:00");
        let mut foreign = report(Underwriting, Success);
        foreign.partner = "other".to_owned();
        let refusal = AuctionCase::after(case.as_ref(), &foreign).unwrap_err();
        assert_eq!(refusal.to_string(), "拍卖业务 24010900100YSKSSG 属于另一合作伙伴");
    }

    #[test]
    fn a_refusal_says_what_was_expected() {
        let text = |case: Option<AuctionCase>, stage| {
            AuctionCase::after(case.as_ref(), &report(stage, Success)).unwrap_err().to_string()
        };
        assert_eq!(text(None, Insuring), "尚无成功的阶段只可报预保，收到“投保”");
        assert_eq!(text(case_after(&path_to(PreInsurance)), Insuring), "“预保”成功后只可报核保，收到“投保”");
        assert_eq!(text(case_after(&path_to(Insuring)), PreInsurance), "“预保”已成功，不可再报");
        assert_eq!(text(case_after(&path_to(Underwriting)), Underwriting), "“核保”已成功，不可再报");
        assert_eq!(text(case_after(&path_to(Surrender)), Surrender), "该拍卖的此项保险已退保，不再接受“退保”");
    }

    /// `docs/auction-stages.md` shows the table as it is, and every refusal in order of precedence.
    #[test]
    fn the_document_shows_these_rules() {
        let document = include_str!("../../../docs/auction-stages.md");
        let named = |stage: AuctionStage| format!("{} {}", stage.number(), stage.label());
        for last in [None].into_iter().chain(AuctionStage::ALL.iter().copied().map(Some)) {
            let mut next = AuctionStage::may_follow(last).to_vec();
            next.sort_unstable();
            let next: Vec<String> = next.into_iter().map(named).collect();
            let next = if next.is_empty() { "nothing".to_owned() } else { next.join(", ") };
            let row = format!("| {} | {next} |\n", last.map_or("none".to_owned(), named));
            assert!(document.contains(&row), "{row}");
        }
        let reported = PreInsurance;
        let now = example().time_of_occurrence;
        let refusals = [
            AuctionRefusal::CaseOfAnotherPartner { biz_id: String::new() },
            AuctionRefusal::CaseClosed { reported },
            AuctionRefusal::StageAlreadySucceeded { reported },
            AuctionRefusal::StageOutOfOrder { last_success: None, reported },
            AuctionRefusal::StageBeforePredecessor { last_occurrence: now, reported: now },
        ];
        let codes: Vec<String> = refusals.iter().map(|refusal| format!("| `{}` |", refusal.code())).collect();
        let listed: Vec<&str> = document.lines().filter(|line| line.starts_with("| `AUCTION_")).collect();
        assert_eq!(listed.len(), codes.len());
        assert!(listed.iter().zip(&codes).all(|(line, code)| line.starts_with(code)), "{listed:?}");
    }

    #[test]
    fn numbers_are_the_documents() {
        let numbers: Vec<u8> = AuctionStage::ALL.iter().map(|stage| stage.number()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        let labels: Vec<&str> = AuctionStage::ALL.iter().map(|stage| stage.label()).collect();
        assert_eq!(labels, ["预保", "核保", "投保", "退保", "批改"]);
        assert_eq!(serde_json::to_string(&Failure).unwrap(), "2");
        assert!(serde_json::from_str::<AuctionStage>("6").is_err());
        assert!(serde_json::from_str::<AuctionStage>("0").is_err());
        assert_eq!(AuctionInsuranceType::try_from(2), Ok(AuctionInsuranceType::Performance));
    }
}
