//! A real pseudo-terminal to run the program in.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Runs a command with standard output and standard error on a terminal; gives the exit code and the bytes that the
/// terminal got. Line ends are `\n` again, which a terminal's driver makes `\r\n`.
pub(crate) fn on_terminal(command: &mut Command) -> (i32, Vec<u8>) {
    on_terminal_of(240, command)
}

/// The same on a terminal of so many columns and 50 lines.
pub(crate) fn on_terminal_of(columns: u16, command: &mut Command) -> (i32, Vec<u8>) {
    run(columns, false, command)
}

/// The same with standard input on the terminal, too, as if a person sat there.
pub(crate) fn at_terminal(columns: u16, command: &mut Command) -> (i32, Vec<u8>) {
    run(columns, true, command)
}

/// Starts a command on a terminal; gives our end of it.
pub(crate) fn start(columns: u16, is_attended: bool, command: &mut Command) -> (File, Child) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&ours).expect("it is granted");
    unlockpt(&ours).expect("it is unlocked");
    let size = Winsize {
        ws_row: 50,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let theirs = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())
        .expect("its other end");
    tcsetwinsize(&theirs, size).expect("its size");
    let copy = theirs.try_clone().expect("a copy");
    let stdin = match is_attended {
        true => Stdio::from(theirs.try_clone().expect("a copy")),
        false => Stdio::null(),
    };
    let child = command
        .stdin(stdin)
        .stdout(Stdio::from(theirs))
        .stderr(Stdio::from(copy))
        .spawn()
        .expect("the program starts");
    // Our copies of the terminal's end would keep it open.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    (File::from(ours), child)
}

fn run(columns: u16, is_attended: bool, command: &mut Command) -> (i32, Vec<u8>) {
    let (mut ours, mut child) = start(columns, is_attended, command);
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    // Linux reports the end of the terminal as an error.
    while let Ok(count) = ours.read(&mut part) {
        if count == 0 {
            break;
        }
        bytes.extend_from_slice(&part[..count]);
    }
    let code = child.wait().expect("it ends").code();
    let mut text = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            text.push(*byte);
        }
    }
    (code.expect("it ends by itself"), text)
}
