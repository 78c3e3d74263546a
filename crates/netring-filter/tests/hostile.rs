//! Expressions that are made to hurt: each ends soon in a filter or in a clean error, on a thread with little stack.

use netring_filter::{BuiltIn, Filter, FilterError, FilterErrorKind, Options, Target, compile};

/// Compiles on a stack that no recursion over the expression would survive.
fn small_stack(expression: String) -> Result<Filter, FilterError> {
    let thread = std::thread::Builder::new().stack_size(256 * 1024);
    thread.spawn(move || compile(&expression, &Options::default(), &BuiltIn)).unwrap().join().unwrap()
}

#[test]
fn long_rows_and_deep_nests() {
    let row = |word: &str, joint: &str, count| vec![word; count].join(joint);
    assert!(small_stack(row("ip", " and ", 100_000)).is_ok());
    assert!(small_stack(row("tcp port 80", " or ", 20_000)).is_ok());
    assert!(small_stack(format!("{}ip", "not ".repeat(60_000))).is_ok());
    assert!(small_stack(format!("{}ip{}", "(".repeat(20_000), ")".repeat(20_000))).is_ok());
    assert!(small_stack("(".repeat(200_000)).is_err());
    assert!(small_stack(format!("ip[{}1{}] = 1", "(".repeat(20_000), ")".repeat(20_000))).is_ok());
    assert!(small_stack(format!("ip[0{}] = 1", "+1".repeat(100_000))).is_ok());
    assert!(small_stack(format!("len + 0{} > 0", "+1".repeat(100_000))).is_ok());
    assert!(small_stack(format!("{}len > 0", "- ".repeat(100_000))).is_ok());
    assert!(small_stack(format!("{}0{} = 1", "ip[".repeat(5000), "]".repeat(5000))).is_err());
    assert!(small_stack("ip[0] + ".repeat(10_000) + "1 = 1").is_err());
    assert!(small_stack("a:".repeat(100_000)).is_err());
    assert!(small_stack("::".repeat(100_000)).is_err());
    assert!(small_stack("host ".to_owned() + &row("1.2.3.4", " or ", 100_000)).is_ok());
}

#[test]
fn many_different_values() {
    let tests: Vec<_> = (0..20_000).map(|at| format!("ether[{}] = {}", at % 5000, at % 256)).collect();
    let filter = small_stack(tests.join(" or ")).unwrap();
    let error = filter.check(Target::Socket).unwrap_err();
    let FilterErrorKind::TooLong { instructions, limit: 4096 } = error.kind else { panic!("{error}") };
    assert_eq!(instructions, filter.program().instructions().len());
    let mixed: Vec<_> =
        (0..5000).map(|at| format!("(ip[{}] = {} and tcp[{}] > {})", at, at % 7, at % 11, at % 256)).collect();
    assert!(small_stack(mixed.join(" or ")).is_ok());
    assert!(small_stack(mixed.join(" and not ")).is_ok());
}

#[test]
fn many_hosts_fit_a_socket() {
    let hosts = |count: u32, step: u32| {
        let addresses = (0..count).map(|n| std::net::Ipv4Addr::from(0x0a00_0000 + n.wrapping_mul(step) % 0x00ff_ffff));
        addresses.map(|address| format!("host {address}")).collect::<Vec<_>>().join(" or ")
    };
    for step in [1, 2, 7919] {
        let filter = small_stack(hosts(1000, step)).unwrap();
        assert!(filter.check(Target::Socket).is_ok(), "{}", filter.program().instructions().len());
    }
    assert!(small_stack(hosts(20_000, 7919)).is_ok());
}

#[test]
fn errors_have_their_kinds() {
    let fails = |expression: &str, target| {
        let mut options = Options::default();
        options.target = target;
        compile(expression, &options, &BuiltIn).unwrap_err()
    };
    assert_eq!(fails("ip6 and tcp[13] = 2", Target::Memory).kind, FilterErrorKind::RejectsAll);
    assert_eq!(fails("ip and protochain 6", Target::Socket).kind, FilterErrorKind::Target);
    assert_eq!(fails("ip and protochain 6", Target::Socket).span, 7..19);
    assert_eq!(fails("inbound", Target::Memory).kind, FilterErrorKind::Target);
    assert_eq!(fails("type mgt", Target::Memory).kind, FilterErrorKind::LinkType);
    assert_eq!(fails("port nosuch", Target::Memory).kind, FilterErrorKind::UnknownName("nosuch".into()));
    let names = vec!["a.example".to_owned(), "b.example".to_owned()];
    assert_eq!(
        fails("host a.example or (tcp and src b.example) or host a.example", Target::Memory).kind,
        FilterErrorKind::UnresolvedHosts(names)
    );
    assert_eq!(fails("port 80 or", Target::Memory).span, 10..10);
    assert_eq!(fails("(port 80", Target::Memory).span, 0..1);
    assert_eq!(fails("vlan 4096", Target::Memory).span, 0..9);
}
