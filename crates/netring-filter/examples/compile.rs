//! Prints the program of an expression, as `tcpdump -d` does: `compile [-l LINKTYPE] [-m] EXPRESSION...`; `-m` for a VLAN tag in metadata.

use netring_filter::{LinkType, Options, System, Vlan, compile};

fn main() {
    let mut options = Options::default();
    let mut words = std::env::args().skip(1).peekable();
    loop {
        match words.peek().map(String::as_str) {
            Some("-l") => {
                words.next();
                let number = words.next().and_then(|number| number.parse().ok());
                options.link_type = number.and_then(LinkType::from_number).unwrap_or_default();
            }
            Some("-m") => {
                words.next();
                options.vlan = Vlan::Metadata;
            }
            _ => break,
        }
    }
    let expression = words.collect::<Vec<_>>().join(" ");
    match compile(&expression, &options, &System::read()) {
        Ok(filter) => print!("{filter}"),
        Err(error) => eprintln!("{error}"),
    }
}
