//! The pictures of the console: each page's is there in both themes and both widths, and in both READMEs.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_page_of_the_console_is_pictured_in_both_readmes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = std::fs::read_dir(root.join("docs/images/console")).unwrap();
    let names: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let pages: BTreeSet<&str> = names.iter().filter_map(|name| name.strip_suffix("-light-desk.webp")).collect();
    assert!(pages.len() > 20, "{pages:?}");
    for readme in ["README.md", "README.zh-CN.md"] {
        let text = std::fs::read_to_string(root.join(readme)).unwrap();
        for page in pages.iter().filter(|page| !page.ends_with("-en")) {
            for (theme, width) in [("light", "desk"), ("dark", "desk"), ("light", "phone"), ("dark", "phone")] {
                let chinese = format!("{page}-{theme}-{width}.webp");
                assert!(names.contains(&chinese), "docs/images/console has no {chinese}");
                let english = format!("{page}-en-{theme}-{width}.webp");
                let shown = [chinese, english].iter().any(|name| text.contains(&format!("console/{name}\"")));
                assert!(shown, "{readme} does not show {page} at {width} in the {theme} theme");
            }
        }
    }
}
