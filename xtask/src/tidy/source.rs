//! A small reader of Rust: tells code from comments and strings, and finds functions by their braces.

/// A source file in layers. Both texts have the lines of the file; what does not belong to a layer is blank.
#[derive(Clone, Debug)]
pub struct Source {
    /// Code without comments and without what stands inside quotes.
    pub code: String,
    /// Comments alone, doc comments included.
    pub comments: String,
}

/// A function with a body. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// First line of its attributes and comments.
    pub head: usize,
    /// The line of `fn`.
    pub first: usize,
    /// The line of the closing brace.
    pub last: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Code,
    Line,
    /// Nested as deep as told.
    Block(u32),
    Text,
    /// Raw, with so many `#`.
    Raw(usize),
}

impl Source {
    /// Takes a file apart.
    pub fn new(text: &str) -> Source {
        let chars: Vec<char> = text.chars().collect();
        let (mut code, mut comments) = (String::new(), String::new());
        let mut layer = Layer::Code;
        let mut at = 0;
        while at < chars.len() {
            let rest = &chars[at..];
            let before = at.checked_sub(1).and_then(|before| chars.get(before)).copied();
            let (taken, next) = step(layer, rest, before);
            for &part in &rest[..taken] {
                let (in_code, in_comments) = match (layer, next) {
                    (Layer::Line | Layer::Block(_), _) | (_, Layer::Line | Layer::Block(_)) => (false, true),
                    // A piece of several characters is a literal; quotes stay to be seen.
                    (Layer::Code, Layer::Code) => (taken == 1, false),
                    (Layer::Code, Layer::Text) | (Layer::Text, Layer::Code) => (true, false),
                    (Layer::Code | Layer::Text | Layer::Raw(_), _) => (false, false),
                };
                code.push(if in_code || part == '\n' { part } else { ' ' });
                comments.push(if in_comments || part == '\n' { part } else { ' ' });
            }
            layer = next;
            at += taken;
        }
        Source { code, comments }
    }

    /// All functions with a body, nested ones too, in the order of their first lines.
    pub fn functions(&self) -> Vec<Function> {
        let chars: Vec<char> = self.code.chars().collect();
        let lines: Vec<&str> = self.code.lines().collect();
        let comments: Vec<&str> = self.comments.lines().collect();
        let (mut found, mut line) = (Vec::new(), 1);
        for (at, &c) in chars.iter().enumerate() {
            if c == '\n' {
                line += 1;
            }
            let starts =
                c == 'f' && chars.get(at + 1) == Some(&'n') && chars.get(at + 2).is_some_and(|c| c.is_whitespace());
            if !starts || at.checked_sub(1).and_then(|i| chars.get(i)).is_some_and(|c| word(*c)) {
                continue;
            }
            let name: String =
                chars[at + 2..].iter().skip_while(|c| c.is_whitespace()).take_while(|c| word(**c)).collect();
            if let (false, Some(end)) = (name.is_empty(), body_end(&chars[at..])) {
                let breaks = chars[at..at + end].iter().filter(|c| **c == '\n').count();
                let head = head(&lines, &comments, line);
                found.push(Function { name, head, first: line, last: line + breaks });
            }
        }
        found
    }
}

/// How many characters the next piece has, and the layer after it.
fn step(layer: Layer, rest: &[char], before: Option<char>) -> (usize, Layer) {
    let second = rest.get(1).copied();
    match (layer, rest[0]) {
        (Layer::Code, '/') if second == Some('/') => (2, Layer::Line),
        (Layer::Code, '/') if second == Some('*') => (2, Layer::Block(1)),
        (Layer::Code, '"') => (1, Layer::Text),
        (Layer::Code, 'r') if !before.is_some_and(|c| word(c) && c != 'b' && c != 'c') => {
            let marks = rest[1..].iter().take_while(|c| **c == '#').count();
            if rest.get(marks + 1) == Some(&'"') { (marks + 2, Layer::Raw(marks)) } else { (1, Layer::Code) }
        }
        (Layer::Code, '\'') => (quoted_char(rest), Layer::Code),
        (Layer::Code, _) => (1, Layer::Code),
        (Layer::Line, '\n') => (1, Layer::Code),
        (Layer::Line, _) => (1, Layer::Line),
        (Layer::Block(depth), '/') if second == Some('*') => (2, Layer::Block(depth + 1)),
        (Layer::Block(1), '*') if second == Some('/') => (2, Layer::Code),
        (Layer::Block(depth), '*') if second == Some('/') => (2, Layer::Block(depth - 1)),
        (Layer::Block(depth), _) => (1, Layer::Block(depth)),
        (Layer::Text, '\\') => (rest.len().min(2), Layer::Text),
        (Layer::Text, '"') => (1, Layer::Code),
        (Layer::Text, _) => (1, Layer::Text),
        (Layer::Raw(marks), '"') if rest[1..].iter().take_while(|c| **c == '#').count() >= marks => {
            (marks + 1, Layer::Code)
        }
        (Layer::Raw(marks), _) => (1, Layer::Raw(marks)),
    }
}

/// Length of a character literal, or 1 for the tick of a lifetime.
fn quoted_char(rest: &[char]) -> usize {
    match (rest.get(1), rest.get(2)) {
        (Some('\\'), Some(_)) => {
            // The escaped character itself may be a tick.
            let end = rest.iter().skip(3).position(|c| *c == '\'');
            end.map_or(1, |end| end + 4)
        }
        (Some(_), Some('\'')) => 3,
        _ => 1,
    }
}

/// Whether a character belongs to an identifier.
pub fn word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the body that begins after a signature ends; `None` for a declaration without body.
fn body_end(code: &[char]) -> Option<usize> {
    let (mut round, mut curly) = (0_i32, 0_i32);
    for (at, c) in code.iter().enumerate() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            '{' => curly += 1,
            '}' => {
                curly -= 1;
                if curly == 0 && round == 0 {
                    return Some(at);
                }
            }
            ';' if curly == 0 && round == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The first line of the attributes and comments right above `line`.
fn head(code: &[&str], comments: &[&str], line: usize) -> usize {
    let (mut first, mut inside) = (line, false);
    while let Some(above) = first.checked_sub(2) {
        let text = code.get(above).map_or("", |text| text.trim());
        let comment = comments.get(above).is_some_and(|text| !text.trim().is_empty());
        if text.starts_with("#[") {
            inside = false;
        } else if text.ends_with(")]") {
            inside = true;
        } else if !(inside || text.is_empty() && comment) {
            break;
        }
        first -= 1;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_told_from_code() {
        let table = [
            ("let a = 1; // todo!()", "let a = 1;", "// todo!()"),
            ("a /* x /* y */ z */ b", "a b", "/* x /* y */ z */"),
            (r#"f("// no", b"\" /*") + 1"#, r#"f(" ", b" ") + 1"#, ""),
            (r##"g(r#"a " b"#, br"c", 1)"##, "g( , b , 1)", ""),
            (r"h('\'', '\\', '\u{41}', '{', x::<'a>(), 'b: loop)", "h( , , , , x::<'a>(), 'b: loop)", ""),
        ];
        for (text, code, comments) in table {
            let source = Source::new(text);
            assert_eq!(source.code.chars().count(), text.chars().count(), "{text}");
            let squeezed: String = source.code.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(squeezed, code, "{text}");
            assert_eq!(source.comments.trim(), comments, "{text}");
        }
    }

    #[test]
    fn a_multiplication_of_references_is_not_a_comment() {
        let source = Source::new("let r = *a / *b; let rr = r\n/ 2;");
        assert_eq!(source.code, "let r = *a / *b; let rr = r\n/ 2;");
    }

    #[test]
    fn functions_are_found_with_their_heads_and_ends() {
        let text = "\
/// Promise.
#[test]
fn one() {
    let brace = '}';
    let text = \"}\"; // }
}

trait T { fn none(&self); fn short(&self) -> [u8; 3] { [0; 3] } }
type F = fn(u8) -> u8;

#[tokio::test(
    flavor = \"current_thread\",
)]
async fn two()
where
    u8: Copy,
{
    fn inner() {}
}
";
        let found: Vec<(String, usize, usize, usize)> =
            Source::new(text).functions().into_iter().map(|f| (f.name, f.head, f.first, f.last)).collect();
        let wanted = [("one", 1, 3, 6), ("short", 8, 8, 8), ("two", 11, 14, 19), ("inner", 18, 18, 18)];
        assert_eq!(found, wanted.map(|(name, head, first, last)| (name.to_owned(), head, first, last)));
    }
}
