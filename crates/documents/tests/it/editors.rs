//! Templates as editors save them, and templates that cannot be used.

use baoqiao_documents::{Problem, Template};

use crate::{FONTS, SCHEMA, info, near, parse, pdf, rows, svg, values};

const INKSCAPE: &str = r##"<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<svg width="210mm" height="297mm" viewBox="0 0 210 297" version="1.1" id="svg1" inkscape:version="1.3.2"
   sodipodi:docname="policy.svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"
   xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" xmlns="http://www.w3.org/2000/svg"
   xmlns:svg="http://www.w3.org/2000/svg">
  <sodipodi:namedview id="namedview1" pagecolor="#ffffff" inkscape:document-units="mm" />
  <defs id="defs1" />
  <g inkscape:label="Layer 1" inkscape:groupmode="layer" id="layer1">
    <text xml:space="preserve" style="font-size:3.5px;line-height:1.25;font-family:'Noto Sans CJK SC';fill:#000000"
       x="20" y="30" id="text1"><tspan sodipodi:role="line" id="tspan1"
         style="stroke-width:0.26" x="20" y="30">{{name|wrap=21,lines=2,leading=5}}</tspan></text>
    <g id="g1" inkscape:label="repeat-rows-step-10">
      <text xml:space="preserve" style="font-size:3.5px" x="20 24 28" y="50" id="text2"><tspan x="20 24 28"
         y="50">{{label}}</tspan></text>
    </g>
  </g>
</svg>
"##;

const ILLUSTRATOR: &str = r##"<?xml version="1.0" encoding="utf-8"?>
<!-- Generator: Adobe Illustrator 27.0.0, SVG Export Plug-In . SVG Version: 6.00 Build 0)  -->
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [
	<!ENTITY ns_extend "http://ns.adobe.com/Extensibility/1.0/">
	<!ENTITY ns_ai "http://ns.adobe.com/AdobeIllustrator/10.0/">
]>
<svg version="1.1" id="Layer_1" xmlns:x="&ns_extend;" xmlns:i="&ns_ai;" xmlns="http://www.w3.org/2000/svg"
	 xmlns:xlink="http://www.w3.org/1999/xlink" x="0px" y="0px" viewBox="0 0 595.28 841.89" xml:space="preserve">
<style type="text/css">
	.st0{font-family:'SourceHanSansSC-Regular';}
	.st1{font-size:10px;}
</style>
<switch>
	<foreignObject requiredExtensions="&ns_ai;" x="0" y="0" width="1" height="1"><i:aipgfRef xlink:href="#a"/></foreignObject>
	<g i:extraneous="self">
		<g id="if-subject_x5F_name_1_">
			<text transform="matrix(1 0 0 1 56 100)" class="st0 st1"><tspan x="0" y="0">{{subject_name|wrap=60,lines=2}}</tspan></text>
		</g>
		<rect id="qr-verify" x="400" y="50" class="st0" width="80" height="80"/>
	</g>
</switch>
</svg>
"##;

fn page(svg: &str, fields: &baoqiao_documents::Fields) -> pdf::Page {
    let template = Template::parse(svg, &SCHEMA).unwrap();
    pdf::Page::of(&baoqiao_documents::render(&template, fields, &FONTS, &info()).unwrap())
}

#[test]
fn a_template_saved_by_inkscape() {
    let mut fields = rows(&["甲乙丙", "丁"]);
    fields.values = crate::row(&[("name", "外贸飞机盒定制印")]);
    let page = page(INKSCAPE, &fields);
    assert_eq!(page.text(), "外贸飞机盒定制印甲乙丙丁");
    let mm = 72.0 / 25.4;
    near(page.find("制").x, 20.0 * mm);
    near(page.find("制").y, 35.0 * mm);
    // Places for single letters belong to the placeholder's letters, not to the text that comes in.
    near(page.find("乙").x, 23.5 * mm);
    near(page.find("丁").y, 60.0 * mm);
}

#[test]
fn a_template_saved_by_illustrator() {
    let mut fields = values(&[("subject_name", "外贸飞机盒定制印")]);
    fields.qr.insert("verify".to_owned(), "https://insurer.example/1".to_owned());
    let page = page(ILLUSTRATOR, &fields);
    assert_eq!(page.text(), "外贸飞机盒定制印");
    near(page.find("制").x, 56.0);
    near(page.find("制").y, 115.0);
    near(page.width, 595.28);
}

#[track_caller]
fn refused(body: &str) -> (u32, Problem) {
    let error = parse(body).unwrap_err();
    assert!(error.to_string().starts_with(&format!("line {} of the template: ", error.line)));
    (error.line, error.problem)
}

#[test]
fn errors_name_the_line_and_the_problem() {
    let unknown = |name: &str, hint: &str| Problem::UnknownField { name: name.to_owned(), hint: hint.to_owned() };
    assert_eq!(refused("\n\n<text>{{name}}\n{{policy_nr}}</text>"), (3, unknown("policy_nr", "")));
    assert_eq!(
        refused("\n<g id='repeat-rows-step-9'>\n<text>{{lable}}</text></g>"),
        (3, unknown("lable", ", nor one of a row of `rows`"))
    );
    assert_eq!(refused("\n<text>{{label}}</text>"), (2, unknown("label", "")));
    assert_eq!(refused("\n<g id='if-x'/>"), (2, unknown("x", "")));
    let lines = [
        "\n<text>{{na<tspan>me}}</tspan></text>",
        "\n<text>{{name|wrap}}</text>",
        "\n<g id='repeat-rows'/>",
        "\n<g id='repeat-parties-step-9'/>",
        "\n<g id='qr-verify'/>",
        "\n<rect id='qr-verify' width='50%' height='10'/>",
        "\n<rect id='qr-check' width='5' height='10'/>",
        "\n<g id='follow-name'/>",
        "\n<path d='{{name}}'/>",
        "\n<text display='none'>{{name|fit=10}}</text>",
        "\n<text><tspan id='follow-rows'/></text>",
        "\n<image href='file:///etc/hostname'/>",
        "\n<image href='data:image/svg+xml,x'/>",
        "\n<g",
    ];
    for body in lines {
        assert_eq!(refused(body).0, 2, "{body}");
    }
    let nested = "<g id='repeat-rows-step-9'>\n<g id='repeat-rows-step-9'/></g>";
    assert_eq!(refused(nested), (2, Problem::NestedRepeat("rows".to_owned())));
}

#[test]
fn what_is_no_svg_is_refused() {
    for text in ["", "policy", "<svg/>", "<html xmlns='http://www.w3.org/1999/xhtml'/>", "\u{0}"] {
        assert!(Template::parse(text, &SCHEMA).is_err(), "{text}");
    }
    let error = Template::parse(&svg("").replace("500", "0"), &SCHEMA).unwrap_err();
    assert!(matches!(error.problem, Problem::Undrawable(_)), "{error}");
}

#[test]
fn entities_that_expand_without_end_are_refused() {
    let lol = r#"<!DOCTYPE svg [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&c;">]>
<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&b;&c;</text></svg>"#;
    assert!(Template::parse(lol, &SCHEMA).is_err());
}
