//! Writes `sample.pdf` from the default template, and says how many documents one core makes a second.
//!
//! `cargo run --release -p baoqiao-documents --example render_sample [FILE] [COUNT]`

#![allow(clippy::disallowed_methods, reason = "an example measures by the machine's clock")]

use std::collections::BTreeMap;
use std::time::Instant;

use baoqiao_documents::{DocumentInfo, Fields, Fonts, POLICY_TEMPLATE, Row, Template, policy_schema, render};

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().unwrap_or_else(|| "sample.pdf".to_owned());
    let count: u32 = args.next().map_or(Ok(300), |count| count.parse())?;
    let started = Instant::now();
    let fonts = Fonts::embedded();
    let template = Template::parse(POLICY_TEMPLATE, policy_schema())?;
    println!("template and font read in {:?}", started.elapsed());

    let info = DocumentInfo {
        title: "电子保单 PBDI20210804Q000F0001".to_owned(),
        author: "华东示例财产保险股份有限公司".to_owned(),
        created: "2021-08-04T15:24:00+08:00".parse()?,
    };
    let fields = sample();
    let rendered = render(&template, &fields, &fonts, &info)?;
    let started = Instant::now();
    for _ in 0..count {
        render(&template, &fields, &fonts, &info)?;
    }
    let took = started.elapsed();
    println!("{:.0} documents a second, {:?} each", f64::from(count) / took.as_secs_f64(), took / count.max(1));
    println!("{} bytes; missing {:?}; shortened {:?}", rendered.pdf.len(), rendered.missing, rendered.shortened);
    std::fs::write(&file, rendered.pdf)?;
    println!("wrote {file}");
    Ok(())
}

fn sample() -> Fields {
    let texts = [
        ("insurer_name", "华东示例财产保险股份有限公司"),
        ("title", "网络交易履约保证保险"),
        ("policy_no", "PBDI20210804Q000F0001"),
        ("subject_name", "外贸飞机盒定制印刷包装盒快递打包外箱瓦楞牛皮纸盒订做纸箱定做，三层特硬 E 瓦 250×180×60 mm"),
        ("subject_category", "包装"),
        ("subject_id", "2003576043935988528"),
        ("order_amount", "¥101,800.00"),
        ("seller", "xx智能XX"),
        ("buyer", "t_1500860306662_0776"),
        ("sum_insured", "US$157.60"),
        ("sum_insured_capitals", "美元壹佰伍拾柒元陆角整"),
        ("premium", "US$0.98"),
        ("premium_capitals", "美元玖角捌分"),
        ("premium_rate", "0.625%"),
        ("currency", "美元 USD"),
        ("currency_rate", "6.4594"),
        ("period_from", "2021-08-04 15:23:26"),
        ("period_to", "2021-09-12 23:59:59"),
        ("period_length", "40 天"),
        ("insure_time", "2021-08-04 15:23:28"),
        ("issue_time", "2021-08-04 15:23:29"),
        ("insurance_types", "质量保证、交期保证、外观保证"),
        ("identifier", "010101004178221080402170019"),
        ("insure_id", "010101001178221080402961044"),
        (
            "special_terms",
            "本保险合同由投保单、保险单、保险条款、批单和特别约定组成。保险事故发生后，被保险人应当在四十八小时内通知保险人；故意或者因重大过失未及时通知，致使保险事故的性质、原因、损失程度等难以确定的，保险人对无法确定的部分不承担赔偿责任。",
        ),
        ("verify_url", "https://policy.insurer.example/verify/PBDI20210804Q000F0001?code=7c1f9a22"),
        (
            "footer",
            "华东示例财产保险股份有限公司　上海市浦东新区示例路 88 号　客户服务热线 95500　本页所载时间均为北京时间。",
        ),
    ];
    let row = |texts: &[(&str, &str)]| -> Row {
        let owned = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        owned.collect()
    };
    let parties = vec![
        row(&[
            ("role", "投保人"),
            ("name", "杭州某某包装制品有限公司"),
            ("licence", "统一社会信用代码"),
            ("licence_no", "9133**********Y74N"),
            ("phone", "0571-****5678"),
            ("address", "浙江省杭州市余杭区文一西路 969 号"),
        ]),
        row(&[
            ("role", "被保险人"),
            ("name", "张𬭎㛃"),
            ("licence", "居民身份证"),
            ("licence_no", "3321************32"),
            ("phone", "139****2233"),
            ("address", "浙江省台州市椒江区某某街道"),
        ]),
    ];
    let amounts = vec![
        row(&[("label", "保险金额（折合人民币）"), ("figures", "¥1,018.00"), ("capitals", "人民币壹仟零壹拾捌元整")]),
        row(&[("label", "保险费（折合人民币）"), ("figures", "¥6.36"), ("capitals", "人民币陆元叁角陆分")]),
    ];
    let own = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    Fields {
        values: texts.into_iter().map(own).collect(),
        groups: BTreeMap::from([("parties".to_owned(), parties), ("amounts".to_owned(), amounts)]),
        qr: BTreeMap::from([(
            "verify".to_owned(),
            "https://policy.insurer.example/verify/PBDI20210804Q000F0001?code=7c1f9a22".to_owned(),
        )]),
    }
}
