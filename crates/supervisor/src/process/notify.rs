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
use crate::settings::LONGEST_SOCKET;

/// What a well-behaved service says is far below; longer datagrams are not believed.
const LONGEST: usize = 4096;
/// Of what lies in the socket, so many datagrams are read at once: a flood must not keep a service alive.
const MOST_UNHEARD: usize = 512;

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
            path if path.as_os_str().len() <= LONGEST_SOCKET => (path, None),
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
            let datagram = self.socket.async_io(Interest::READABLE, || receive(&self.socket)).await?;
            let said = self.believe(&datagram, leader);
            if !said.is_empty() {
                return Ok(said);
            }
        }
    }

    /// What processes of that group have said and nobody has heard yet, without waiting for more.
    pub(crate) fn unheard(&mut self, leader: u32) -> Vec<Said> {
        let mut said = Vec::new();
        for _ in 0..MOST_UNHEARD {
            let Ok(datagram) = receive(&self.socket) else { break };
            said.extend(self.believe(&datagram, leader));
        }
        said
    }

    /// What a datagram says, unless it comes from a stranger.
    fn believe(&mut self, datagram: &Datagram, leader: u32) -> Vec<Said> {
        let sender = datagram.sender;
        let ours = sender.is_some_and(|sender| belongs(sender, leader));
        let said = datagram.text.as_deref().filter(|_| ours).map(message::read).unwrap_or_default();
        if said.is_empty() {
            self.ignored += 1;
            // The first of a kind is news, the thousandth is noise.
            if self.ignored.is_power_of_two() {
                tracing::warn!(socket = %self.path.display(), ignored = self.ignored, ?sender, "a notification was ignored: not from this service, or not readable");
            }
        }
        said
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

struct Datagram {
    /// None: it was too long.
    text: Option<Vec<u8>>,
    sender: Option<Pid>,
}

/// The next datagram, if there is one.
fn receive(socket: &UnixDatagram) -> io::Result<Datagram> {
    let mut buffer = [0; LONGEST];
    // Room for file descriptors too, which are closed: without room for them the credentials could be cut off.
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(8), ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut buffer)],
        &mut control,
        RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut sender = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
            sender = Some(credentials.pid);
        }
    }
    let whole = !received.flags.contains(ReturnFlags::TRUNC);
    let text = buffer.get(..received.bytes).filter(|_| whole).map(<[u8]>::to_vec);
    Ok(Datagram { text, sender })
}

fn belongs(sender: Pid, leader: u32) -> bool {
    let number = |pid: Pid| u32::try_from(pid.as_raw_nonzero().get()).ok();
    number(sender) == Some(leader) || getpgid(Some(sender)).ok().and_then(number) == Some(leader)
}
