//! The text of a PDF, as a reader's search finds it: enough of the format for files that hold composite fonts with a table
//! of characters (ToUnicode) and compressed streams.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::ZlibDecoder;

/// Objects by number: dictionary and unpacked stream.
type Objects = BTreeMap<u32, (String, Vec<u8>)>;

/// Text of each page, a line for each piece that was drawn at once.
pub fn pages(pdf: &[u8]) -> Vec<String> {
    let objects = objects(pdf);
    let kids = objects
        .values()
        .filter(|(dictionary, _)| dictionary.contains("/Type /Pages") || dictionary.contains("/Type/Pages"));
    let order: Vec<u32> = kids.flat_map(|(dictionary, _)| references(dictionary, "/Kids")).collect();
    order.iter().filter_map(|page| objects.get(page)).map(|(page, _)| page_text(page, &objects)).collect()
}

fn objects(pdf: &[u8]) -> Objects {
    let mut found = Objects::new();
    let mut at = 0;
    while let Some(start) = find(pdf, at, b" 0 obj") {
        let digits = pdf[..start].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&pdf[start - digits..start]).expect("digits").parse().expect("a number");
        let end = find(pdf, start, b"endobj").expect("an end");
        let body = &pdf[start + 6..end];
        let (dictionary, stream) = match find(body, 0, b"stream") {
            Some(at) => {
                let from = at + 6 + if body[at + 6] == b'\r' { 2 } else { 1 };
                (&body[..at], &body[from..])
            }
            None => (body, &[][..]),
        };
        let dictionary = String::from_utf8_lossy(dictionary).into_owned();
        found.insert(number, (dictionary.clone(), unpacked(&dictionary, stream)));
        at = end;
    }
    found
}

fn unpacked(dictionary: &str, stream: &[u8]) -> Vec<u8> {
    if !dictionary.contains("FlateDecode") {
        return stream.to_vec();
    }
    let mut out = Vec::new();
    // What follows the stream's end is not part of it.
    let _ = ZlibDecoder::new(stream).read_to_end(&mut out);
    out
}

fn find(bytes: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    bytes[from..].windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}

/// Numbers of the objects named after `key`: one, or several in brackets.
fn references(dictionary: &str, key: &str) -> Vec<u32> {
    let Some((_, rest)) = dictionary.split_once(key) else { return Vec::new() };
    let rest = rest.trim_start();
    let part = match rest.strip_prefix('[') {
        Some(list) => list.split(']').next().unwrap_or_default(),
        None => rest.split_once('R').map_or("", |(first, _)| first),
    };
    let words: Vec<&str> = part.split_whitespace().collect();
    words.chunks(if rest.starts_with('[') { 3 } else { 2 }).filter_map(|words| words.first()?.parse().ok()).collect()
}

fn page_text(page: &str, objects: &Objects) -> String {
    let mut fonts = BTreeMap::new();
    let resources = match references(page, "/Resources").first().and_then(|number| objects.get(number)) {
        Some((dictionary, _)) => dictionary.clone(),
        None => page.to_owned(),
    };
    let (_, named) = resources.split_once("/Font").unwrap_or(("", ""));
    let named = named.split(">>").next().unwrap_or_default().trim_start().trim_start_matches("<<");
    for entry in named.split('/').skip(1) {
        let mut words = entry.split_whitespace();
        let (Some(name), Some(number)) = (words.next(), words.next()) else { continue };
        let font = number.parse::<u32>().ok().and_then(|number| objects.get(&number));
        let table = font.and_then(|(font, _)| references(font, "/ToUnicode").first().copied());
        if let Some((_, table)) = table.and_then(|table| objects.get(&table)) {
            fonts.insert(name.to_owned(), characters(&String::from_utf8_lossy(table)));
        }
    }
    let contents = references(page, "/Contents");
    contents.iter().filter_map(|part| objects.get(part)).map(|(_, stream)| shown(stream, &fonts)).collect()
}

/// The table of a font: code to text.
fn characters(table: &str) -> BTreeMap<u16, String> {
    let code = |hex: &str| u16::from_str_radix(hex, 16).expect("a code");
    let text = |hex: &str| {
        let units: Vec<u16> = (0..hex.len() / 4).map(|at| code(&hex[4 * at..4 * at + 4])).collect();
        String::from_utf16(&units).expect("a text")
    };
    let mut found = BTreeMap::new();
    for (begin, width) in [("beginbfchar", 2), ("beginbfrange", 3)] {
        for part in table.split(begin).skip(1) {
            let part = part.split("endbf").next().unwrap_or_default();
            let words: Vec<String> =
                part.split('<').skip(1).filter_map(|word| Some(word.split_once('>')?.0.replace(' ', ""))).collect();
            for words in words.chunks(width) {
                match words {
                    [from, to] => drop(found.insert(code(from), text(to))),
                    [from, to, first] => {
                        let first = text(first).chars().next().expect("a character");
                        for (place, code) in (code(from)..=code(to)).enumerate() {
                            let each = u32::from(first) + u32::try_from(place).expect("small");
                            found.insert(code, char::from_u32(each).expect("a character").to_string());
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    found
}

/// What a content stream shows, piece by piece.
fn shown(stream: &[u8], fonts: &BTreeMap<String, BTreeMap<u16, String>>) -> String {
    let (mut out, mut codes, mut font, mut name) = (String::new(), Vec::new(), None, String::new());
    let mut at = 0;
    while at < stream.len() {
        match stream[at] {
            b'(' => {
                let (bytes, next) = literal(stream, at + 1);
                codes.extend(bytes);
                at = next;
            }
            b'<' if stream.get(at + 1) != Some(&b'<') => {
                let end = find(stream, at, b">").expect("a closed string");
                let hex: Vec<u8> = stream[at + 1..end].iter().copied().filter(u8::is_ascii_hexdigit).collect();
                codes.extend(
                    hex.chunks(2)
                        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex")),
                );
                at = end + 1;
            }
            b'/' | b'A'..=b'Z' | b'a'..=b'z' => {
                let len =
                    stream[at + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'*').count()
                        + 1;
                let word = std::str::from_utf8(&stream[at..at + len]).expect("ASCII");
                match word {
                    "Tf" => font = fonts.get(&name),
                    "Tj" | "TJ" => {
                        let table = font.expect("a font before text");
                        let pairs = codes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                        out.extend(pairs.map(|code| table.get(&code).cloned().unwrap_or_default()));
                        codes.clear();
                    }
                    "ET" => out.push('\n'),
                    _ => {
                        if let Some(word) = word.strip_prefix('/') {
                            word.clone_into(&mut name);
                        }
                    }
                }
                at += len;
            }
            _ => at += 1,
        }
    }
    out
}

/// A string in round brackets, and where it ends.
fn literal(stream: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let (mut bytes, mut depth) = (Vec::new(), 0);
    loop {
        match stream[at] {
            b'\\' => {
                at += 1;
                match stream[at] {
                    b'n' => bytes.push(b'\n'),
                    b'r' => bytes.push(b'\r'),
                    b't' => bytes.push(b'\t'),
                    b'b' => bytes.push(8),
                    b'f' => bytes.push(12),
                    b'0'..=b'7' => {
                        let digits: String = stream[at..at + 3].iter().map(|byte| char::from(*byte)).collect();
                        bytes.push(u8::try_from(u16::from_str_radix(&digits, 8).expect("octal")).expect("a byte"));
                        at += 2;
                    }
                    other => bytes.push(other),
                }
            }
            b'(' => {
                depth += 1;
                bytes.push(b'(');
            }
            b')' if depth == 0 => return (bytes, at + 1),
            b')' => {
                depth -= 1;
                bytes.push(b')');
            }
            other => bytes.push(other),
        }
        at += 1;
    }
}
