//! From bytes to words: the longest match wins, and of equally long ones the first rule, as flex does it (libpcap's scanner.l).

use std::net::Ipv6Addr;
use std::ops::Range;

use crate::error::FilterError;
use crate::keywords::{self, Keyword};

/// What a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Keyword(Keyword),
    Number(u32),
    /// A name, or a word that a backslash kept from being a keyword.
    Name(String),
    /// Two to four numbers with dots between them.
    Dotted(String),
    Ip6(Ipv6Addr),
    Mac([u8; 6]),
    /// `$` and hexadecimal digits: an ARCnet address.
    Arcnet,
    And,
    Or,
    Not,
    /// One of `+ - * / % & | ^ ( ) [ ] :`.
    Sign(u8),
    ShiftLeft,
    ShiftRight,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Equal,
    NotEqual,
    End,
}

/// A word and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) token: Token,
    pub(crate) span: Range<usize>,
}

/// Cuts the whole expression into words; the last is [`Token::End`].
pub(crate) fn words(text: &str) -> Result<Vec<Word>, FilterError> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if matches!(bytes[at], b' ' | b'\r' | b'\n' | b'\t') {
            at += 1;
            continue;
        }
        let (token, len) = word(text, at)?;
        out.push(Word { token, span: at..at + len });
        at += len;
    }
    out.push(Word { token: Token::End, span: bytes.len()..bytes.len() });
    Ok(out)
}

fn word(text: &str, at: usize) -> Result<(Token, usize), FilterError> {
    let rest = &text.as_bytes()[at..];
    let name = match_name(rest);
    let mac = match_mac(rest);
    let number = match_number(rest);
    let dotted = match_dotted(rest);
    let ip6 = match_ip6(rest);
    let bogus = match_bogus_mac(rest);
    let longest = name.max(mac).max(number).max(dotted).max(ip6).max(bogus);
    if longest == 0 {
        return sign(text, at);
    }
    let span = at..at + longest;
    let spelled = &text[span.clone()];
    if longest == name
        && let Some(token) = keywords::find(spelled)
    {
        return Ok((token, longest));
    }
    let token = if longest == mac {
        Token::Mac(mac_bytes(spelled.as_bytes()))
    } else if longest == number {
        Token::Number(parse_number(spelled).map_err(|message| FilterError::syntax(span, message))?)
    } else if longest == dotted {
        Token::Dotted(spelled.to_owned())
    } else if longest == ip6 {
        let address = spelled.parse();
        Token::Ip6(address.map_err(|_| FilterError::syntax(span, format!("bogus IPv6 address {spelled}")))?)
    } else if longest == bogus {
        return Err(FilterError::syntax(span, format!("bogus ethernet address {spelled}")));
    } else if let Some(value) = keywords::constant(spelled) {
        Token::Number(value)
    } else {
        Token::Name(spelled.to_owned())
    };
    Ok((token, longest))
}

fn sign(text: &str, at: usize) -> Result<(Token, usize), FilterError> {
    let rest = &text.as_bytes()[at..];
    let next = rest.get(1).copied();
    Ok(match (rest[0], next) {
        (b'&', Some(b'&')) => (Token::And, 2),
        (b'|', Some(b'|')) => (Token::Or, 2),
        (b'>', Some(b'=')) => (Token::GreaterEqual, 2),
        (b'<', Some(b'=')) => (Token::LessEqual, 2),
        (b'!', Some(b'=')) => (Token::NotEqual, 2),
        (b'=', Some(b'=')) => (Token::Equal, 2),
        (b'<', Some(b'<')) => (Token::ShiftLeft, 2),
        (b'>', Some(b'>')) => (Token::ShiftRight, 2),
        (b'>', _) => (Token::Greater, 1),
        (b'<', _) => (Token::Less, 1),
        (b'=', _) => (Token::Equal, 1),
        (b'!', _) => (Token::Not, 1),
        (sign @ (b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'(' | b')' | b'[' | b']' | b':'), _) => {
            (Token::Sign(sign), 1)
        }
        (b'$', Some(digit)) if digit.is_ascii_hexdigit() => {
            (Token::Arcnet, 2 + usize::from(rest.get(2).is_some_and(u8::is_ascii_hexdigit)))
        }
        (b'\\', _) => escaped(text, at)?,
        _ => {
            let odd = text[at..].chars().next().unwrap_or_default();
            return Err(FilterError::syntax(
                at..at + odd.len_utf8(),
                format!("'{}' has no meaning here", odd.escape_default()),
            ));
        }
    })
}

fn escaped(text: &str, at: usize) -> Result<(Token, usize), FilterError> {
    let rest = &text[at + 1..];
    let len = rest.find([' ', '!', '(', ')', '\n', '\t']).unwrap_or(rest.len());
    if len == 0 {
        return Err(FilterError::syntax(at..at + 1, "nothing follows the backslash"));
    }
    Ok((Token::Name(rest[..len].to_owned()), len + 1))
}

fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !is(byte)).unwrap_or(bytes.len())
}

/// `[A-Za-z0-9]([-_.A-Za-z0-9]*[.A-Za-z0-9])?`
fn match_name(rest: &[u8]) -> usize {
    if !rest[0].is_ascii_alphanumeric() {
        return 0;
    }
    let len = run(rest, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    rest[..len].iter().rposition(|&byte| byte == b'.' || byte.is_ascii_alphanumeric()).map_or(0, |last| last + 1)
}

fn match_number(rest: &[u8]) -> usize {
    if rest.len() > 2 && rest[0] == b'0' && matches!(rest[1], b'x' | b'X') {
        let digits = run(&rest[2..], |byte| byte.is_ascii_hexdigit());
        if digits > 0 {
            return digits + 2;
        }
    }
    run(rest, |byte| byte.is_ascii_digit())
}

/// Two to four numbers with dots between.
fn match_dotted(rest: &[u8]) -> usize {
    let mut len = match_number(rest);
    let mut parts = usize::from(len > 0);
    while parts > 0 && parts < 4 && rest.get(len) == Some(&b'.') && len + 1 < rest.len() {
        let more = match_number(&rest[len + 1..]);
        if more == 0 {
            break;
        }
        len += more + 1;
        parts += 1;
    }
    if parts >= 2 { len } else { 0 }
}

/// Six pairs with one sign between them, three groups of four with dots, or twelve digits.
fn match_mac(rest: &[u8]) -> usize {
    let pairs = |sign: u8| {
        let mut at = 0;
        for part in 0..6 {
            if part > 0 {
                if rest.get(at) != Some(&sign) {
                    return 0;
                }
                at += 1;
            }
            let digits = run(&rest[at..rest.len().min(at + 2)], |byte| byte.is_ascii_hexdigit());
            if digits == 0 {
                return 0;
            }
            at += digits;
        }
        at
    };
    let quads = |sign: usize| {
        let len = 12 + 2 * sign;
        let fits = rest.len() >= len
            && rest[..len]
                .iter()
                .enumerate()
                .all(|(at, &byte)| if sign == 1 && at % 5 == 4 { byte == b'.' } else { byte.is_ascii_hexdigit() });
        if fits { len } else { 0 }
    };
    [pairs(b':'), pairs(b'-'), pairs(b'.'), quads(1), quads(0)].into_iter().max().unwrap_or(0)
}

fn mac_bytes(text: &[u8]) -> [u8; 6] {
    let mut out = [0; 6];
    let mut at = 0;
    for byte in &mut out {
        if matches!(text.get(at), Some(b':' | b'.' | b'-')) {
            at += 1;
        }
        let digits = run(&text[at..text.len().min(at + 2)], |digit| digit.is_ascii_hexdigit());
        for &digit in &text[at..at + digits] {
            *byte = *byte << 4 | (digit as char).to_digit(16).unwrap_or(0) as u8;
        }
        at += digits;
    }
    out
}

/// `{B}:+({B}:+)+`: looks like a MAC address that lost something.
fn match_bogus_mac(rest: &[u8]) -> usize {
    let (mut at, mut groups) = (0, 0);
    loop {
        let digits = run(&rest[at..rest.len().min(at + 2)], |byte| byte.is_ascii_hexdigit());
        let colons = if digits == 0 { 0 } else { run(&rest[at + digits..], |byte| byte == b':') };
        if colons == 0 {
            return if groups >= 2 { at } else { 0 };
        }
        at += digits + colons;
        groups += 1;
    }
}

/// The longest IPv6 address at the beginning: no longer than 39 digits and colons and a dotted IPv4 address.
fn match_ip6(rest: &[u8]) -> usize {
    const LONGEST: usize = 64;
    const COLONS: usize = 8;
    let mut len = run(&rest[..rest.len().min(LONGEST)], |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    let mut colons = rest[..len].iter().enumerate().filter(|&(_, &byte)| byte == b':').map(|(at, _)| at);
    if colons.clone().count() < 2 {
        return 0;
    }
    len = colons.nth(COLONS).unwrap_or(len);
    (2..=len).rev().find(|&end| is_ip6(&rest[..end])).unwrap_or(0)
}

fn is_ip6(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (head, tail) = match text.split_once("::") {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    };
    let groups = |part: &str| if part.is_empty() { Some(0) } else { count_groups(part) };
    match tail {
        // Before `::` there can be no IPv4 address.
        Some(_) if head.contains('.') => false,
        Some(tail) => matches!((groups(head), groups(tail)), (Some(a), Some(b)) if a + b <= 7),
        None => count_groups(head) == Some(8),
    }
}

/// How many 16-bit groups; a dotted address at the end counts for two.
fn count_groups(part: &str) -> Option<usize> {
    let mut count = 0;
    let mut groups = part.split(':').peekable();
    while let Some(group) = groups.next() {
        if group.contains('.') {
            let whole = match_dotted(group.as_bytes()) == group.len() && group.matches('.').count() == 3;
            return (whole && groups.peek().is_none()).then_some(count + 2);
        }
        if group.is_empty() || group.len() > 4 || !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        count += 1;
    }
    Some(count)
}

/// Decimal, `0x` hexadecimal, or octal after a zero.
fn parse_number(text: &str) -> Result<u32, String> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if radix == 8 && digits.bytes().any(|digit| digit > b'7') {
        return Err(format!("number {text} contains a digit that is not octal"));
    }
    u32::from_str_radix(digits, radix).map_err(|_| format!("number {text} does not fit in 32 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        words(text).unwrap().into_iter().map(|word| word.token).collect()
    }

    #[test]
    fn the_longest_match_wins() {
        assert_eq!(tokens("1.2.3.4")[0], Token::Dotted("1.2.3.4".into()));
        assert_eq!(tokens("1.2.3.4.5")[0], Token::Name("1.2.3.4.5".into()));
        assert_eq!(tokens("1.2.3.4.5.6")[0], Token::Mac([1, 2, 3, 4, 5, 6]));
        assert_eq!(tokens("5-3")[0], Token::Name("5-3".into()));
        assert_eq!(tokens("aabb.ccdd.0102")[0], Token::Mac([0xaa, 0xbb, 0xcc, 0xdd, 1, 2]));
        assert_eq!(tokens("::1")[0], Token::Ip6("::1".parse().unwrap()));
        assert_eq!(tokens("fe80::1/64").len(), 4);
        assert_eq!(tokens("len=011")[2], Token::Number(9));
        assert_eq!(tokens("tcp-syn")[0], Token::Number(2));
        assert_eq!(tokens("\\ip)")[0], Token::Name("ip".into()));
        assert_eq!(tokens("vs-")[0], Token::Name("vs".into()));
    }

    #[test]
    fn mistakes_are_found_with_their_place() {
        for (text, span) in [("ip ~", 3..4), ("len = 09", 6..8), ("port 4294967296", 5..15), ("ip \u{e9}", 3..5)] {
            assert_eq!(words(text).unwrap_err().span, span, "{text}");
        }
        assert!(words("1:2:3:").is_err());
    }
}
