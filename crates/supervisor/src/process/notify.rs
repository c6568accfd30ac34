//! The receiving end of the sd_notify protocol: one datagram socket a service, on which only its own processes are
//! believed. The kernel tells who sent a datagram.

mod message;

use std::fs::{self, Permissions};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg, sockopt::set_socket_passcred,
};
use rustix::process::{Pid, getpgid};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

pub(crate) use self::message::Said;
use crate::file;

/// The kernel takes no longer path for a socket, its final zero left out.
const LONGEST_PATH: usize = 107;
/// What a well-behaved service says is far below; longer datagrams are not believed.
const LONGEST: usize = 4096;

/// The socket of one service.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: UnixDatagram,
    path: PathBuf,
    /// A folder that was made for it alone.
    folder: Option<PathBuf>,
    /// Datagrams of strangers, and such that nobody can read.
    ignored: u64,
}

impl Socket {
    /// Listens for the service `id`, in `folder` where its path is short enough for a socket.
    pub(crate) fn bind(folder: &Path, id: &str) -> io::Result<Self> {
        let name = format!("{id}.notify");
        let (path, own) = match folder.join(&name) {
            path if path.as_os_str().len() <= LONGEST_PATH => (path, None),
            _ => {
                let own = std::env::temp_dir().join(format!("vigie-{:016x}", rand::random::<u64>()));
                file::folder(&own)?;
                (own.join(name), Some(own))
            }
        };
        // What a previous life left; nobody else has this folder.
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        set_socket_passcred(&socket, true)?;
        Ok(Self { socket, path, folder: own, ignored: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What a process of the group that `leader` began says next.
    pub(crate) async fn hear(&mut self, leader: u32) -> io::Result<Vec<Said>> {
        loop {
            let mut buffer = [0; LONGEST];
            let receive = || receive(&self.socket, &mut buffer);
            let (length, sender) = self.socket.async_io(Interest::READABLE, receive).await?;
            let text = length.and_then(|length| buffer.get(..length));
            match text.filter(|_| sender.is_some_and(|sender| belongs(sender, leader))).map(message::read) {
                Some(said) if !said.is_empty() => return Ok(said),
                _ => {
                    self.ignored += 1;
                    // The first of a kind is news, the thousandth is noise.
                    if self.ignored.is_power_of_two() {
                        tracing::warn!(socket = %self.path.display(), ignored = self.ignored, ?sender, "a notification was ignored: not from this service, or not readable");
                    }
                }
            }
        }
    }

    /// How many datagrams were not believed.
    pub(crate) fn ignored(&self) -> u64 {
        self.ignored
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// One datagram: its length unless it was too long, and who sent it.
fn receive(socket: &UnixDatagram, buffer: &mut [u8]) -> io::Result<(Option<usize>, Option<Pid>)> {
    // Room for file descriptors too, which are closed: without room for them the credentials could be cut off.
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(8), ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket,
        &mut [IoSliceMut::new(buffer)],
        &mut control,
        RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut sender = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
            sender = Some(credentials.pid);
        }
    }
    Ok(((!received.flags.contains(ReturnFlags::TRUNC)).then_some(received.bytes), sender))
}

fn belongs(sender: Pid, leader: u32) -> bool {
    let number = |pid: Pid| u32::try_from(pid.as_raw_nonzero().get()).ok();
    number(sender) == Some(leader) || getpgid(Some(sender)).ok().and_then(number) == Some(leader)
}
