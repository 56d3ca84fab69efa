//! A badge as a picture: a label, and a word on a colour. It knows SVG without style sheets, and nothing of what it
//! shows.

use std::fmt::Write as _;

use crate::http::markup::escape;

/// Space before and after a text.
const SPACE: u32 = 60;

/// Tenths of a unit that a letter is wide, in Verdana at size 11 or what stands for it.
fn width(c: char) -> u32 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' => 32,
        ' ' | '.' | ',' | ':' | ';' | 'f' | 't' | 'I' | '!' | '(' | ')' | '[' | ']' | '/' | '\\' => 43,
        'r' | 's' | 'c' | 'z' | 'J' | '-' | '"' => 55,
        'm' | 'M' | 'W' | '@' | '%' => 107,
        'w' | 'O' | 'Q' | 'G' | 'D' | 'N' | 'H' | 'U' => 90,
        'A'..='Z' | '+' | '<' | '>' | '=' | '~' | '^' | '#' | '_' | '&' => 78,
        c if c.is_ascii() => 68,
        // Of other scripts nothing is known: as wide as the widest.
        _ => 115,
    }
}

/// The picture of a label and a word on a colour that white text is readable on.
pub(super) fn draw(label: &str, word: &str, colour: &str) -> String {
    let long = |text: &str| text.chars().map(width).sum::<u32>();
    let (left, right) = (long(label), long(word));
    let (split, whole) = (left + 2 * SPACE, left + right + 4 * SPACE);
    let (label, word) = (escape(label), escape(word));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"20\" viewBox=\"0 0 {0} 20\" role=\"img\" \
         aria-label=\"{label}: {word}\"><title>{label}: {word}</title>\
         <path fill=\"#3d444d\" d=\"M3 0H{1}V20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z\"/>\
         <path fill=\"{colour}\" d=\"M{1} 0H{2}a3 3 0 0 1 3 3V17a3 3 0 0 1-3 3H{1}z\"/>\
         <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,Geneva,sans-serif\" font-size=\"11\">",
        units(whole),
        units(split),
        units(whole - 30),
    );
    for (at, length, text) in [(SPACE, left, &label), (split + SPACE, right, &word)] {
        write!(svg, "<text x=\"{}\" y=\"14\" textLength=\"{}\">{text}</text>", units(at), units(length))
            .expect("a string takes all");
    }
    svg.push_str("</g></svg>\n");
    svg
}

fn units(tenths: u32) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_label_stays_text(label in "\\PC{0,40}|[<>&\"'/a-z ]{0,40}") {
            let svg = draw(&label, "up", "#1a7f37");
            prop_assert_eq!(svg.matches('<').count(), draw("x", "up", "#1a7f37").matches('<').count());
            prop_assert_eq!(svg.matches('"').count(), draw("x", "up", "#1a7f37").matches('"').count());
        }
    }

    #[test]
    fn both_texts_have_their_room() {
        let svg = draw("status", "down", "#b42318");
        assert!(
            svg.contains("role=\"img\" aria-label=\"status: down\"><title>status: down</title>"),
            "{svg}"
        );
        let lengths: Vec<f64> = svg
            .split("textLength=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        let whole: f64 = svg.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        assert!((lengths.iter().sum::<f64>() + 24.0 - whole).abs() < 0.01, "{svg}");
        assert!(!svg.contains("style") && !svg.contains("script") && !svg.contains("href"), "{svg}");
    }
}
