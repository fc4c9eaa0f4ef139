//! [`Place`]: which process of which group this one is, as launchers say it in variables.

use std::env;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use bd_core::{Error, Result};

/// Which process of which group this one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The number of this process, from 0.
    pub rank: usize,
    /// How many processes there are.
    pub size: usize,
    /// How many of them are on this machine.
    pub local_size: usize,
    /// Name or address of the machine of process 0.
    pub host: String,
    /// The port there at which all meet.
    pub port: u16,
    /// Whether the launcher itself serves at this port, as torchrun does.
    pub is_served: bool,
    /// Tells the attempts of a launcher apart that starts all processes again.
    pub attempt: String,
    /// How long to wait for other processes: at the beginning, and in every exchange.
    pub timeout: Duration,
}

/// How long processes wait for each other unless said otherwise: longer than what one of them does alone between two exchanges, such as
/// writing a checkpoint.
pub const USUAL_TIMEOUT: Duration = Duration::from_secs(300);

/// What torchrun and its like set.
const NAMES: [&str; 4] = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"];

/// What Slurm sets in each task of a step.
const SLURM: [&str; 4] = ["SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_NODELIST", "SLURM_JOB_ID"];

impl Place {
    /// By RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT together, as torchrun sets them; `None` where none of them is set, and of a group
    /// of one process.
    ///
    /// Fails with [`Error::Config`] if some of them are missing, or are no such numbers.
    pub fn from_env() -> Result<Option<Self>> {
        Self::of(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn of(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        // WORLD_SIZE alone is set by many a batch system, and means nothing without a rank.
        if var("RANK").is_none() {
            return Ok(None);
        }
        let missing: Vec<_> = NAMES.into_iter().filter(|name| var(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(Error::Config(format!(
                "RANK is set, and {} {} not: one of several processes needs RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun \
                 sets them; unset RANK to train with a process alone",
                missing.join(", "),
                if missing.len() == 1 { "is" } else { "are" }
            )));
        }
        let (rank, size) = (number(var, "RANK", 0, usize::MAX)?, number(var, "WORLD_SIZE", 1, 1 << 16)?);
        let is_served = var("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let local_size = match var("LOCAL_WORLD_SIZE") {
            Some(_) => number(var, "LOCAL_WORLD_SIZE", 1, size)?,
            None => 1,
        };
        Self {
            rank,
            size,
            local_size,
            host: var("MASTER_ADDR").unwrap_or_default(),
            port: number(var, "MASTER_PORT", 1, u16::MAX.into())? as u16,
            is_served,
            attempt: var("TORCHELASTIC_RESTART_COUNT").unwrap_or_else(|| "0".into()),
            timeout: USUAL_TIMEOUT,
        }
        .checked()
    }

    /// By the variables of a task that `srun` has started. They are set in batch scripts too, where they mean nothing of the kind, and so
    /// are asked for by name only.
    ///
    /// Process 0 is met on the first machine of the step, at a port that is a function of the numbers of job and step.
    pub fn from_slurm() -> Result<Option<Self>> {
        Self::of_slurm(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn of_slurm(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        if let Some(name) = SLURM.into_iter().find(|name| var(name).is_none()) {
            return Err(Error::Config(format!("{name} is not set: this process was not started by Slurm's srun")));
        }
        let (rank, size) = (number(var, "SLURM_PROCID", 0, usize::MAX)?, number(var, "SLURM_NTASKS", 1, 1 << 16)?);
        let host = first_host(&var("SLURM_STEP_NODELIST").unwrap_or_default())?;
        let (job, step) = (number(var, "SLURM_JOB_ID", 0, usize::MAX)?, var("SLURM_STEP_ID").unwrap_or_default());
        let step: usize = step.parse().unwrap_or(0);
        // Tasks of the step on each machine, such as 4(x2),1.
        let local = var("SLURM_STEP_TASKS_PER_NODE").unwrap_or_default();
        let local = local.split(['(', ',']).next().and_then(|count| count.parse().ok()).unwrap_or(1);
        Self {
            rank,
            size,
            local_size: local,
            host,
            port: (20_000 + (job * 31 + step) % 20_000) as u16,
            is_served: false,
            attempt: format!("{job}.{step}.{}", var("SLURM_RESTART_COUNT").unwrap_or_default()),
            timeout: USUAL_TIMEOUT,
        }
        .checked()
    }

    fn checked(self) -> Result<Option<Self>> {
        if self.rank >= self.size {
            let allowed = format!("a number below WORLD_SIZE, {}", self.size);
            return Err(Error::setting("RANK", self.rank, allowed));
        }
        Ok((self.size > 1).then_some(self))
    }

    /// The address of this machine towards process 0. Gloo would take that of the machine's name, which is often one that no other machine
    /// can reach.
    pub(crate) fn own_address(&self) -> Result<String> {
        let mut found = (self.host.as_str(), self.port).to_socket_addrs().map_err(|error| {
            Error::ProcessGroup(format!(
                "the machine of process 0, MASTER_ADDR={}, is not known here: {error}",
                self.host
            ))
        })?;
        let to = found.next().ok_or_else(|| {
            Error::ProcessGroup(format!("the machine of process 0, MASTER_ADDR={}, has no address", self.host))
        })?;
        let any: IpAddr =
            if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        // Nothing is sent: the system only chooses a way.
        let own = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect(to)?;
            socket.local_addr()
        });
        let own = own.map_err(|error| {
            Error::ProcessGroup(format!(
                "there is no way to the machine of process 0, MASTER_ADDR={}: {error}",
                self.host
            ))
        })?;
        Ok(own.ip().to_string())
    }
}

fn number(var: &dyn Fn(&str) -> Option<String>, name: &str, least: usize, most: usize) -> Result<usize> {
    let value = var(name).unwrap_or_default();
    let allowed = || match most {
        usize::MAX => format!("a whole number from {least}"),
        most => format!("a whole number from {least} to {most}"),
    };
    let found: Option<usize> = value.trim().parse().ok();
    found.filter(|number| (least..=most).contains(number)).ok_or_else(|| Error::setting(name, value, allowed()))
}

/// The first machine of a list in Slurm's form, such as `node[03-05,9],login`.
fn first_host(list: &str) -> Result<String> {
    let (name, rest) = list.split_at(list.find(['[', ',']).unwrap_or(list.len()));
    let first = match rest.strip_prefix('[') {
        None => "",
        Some(inner) => &inner[..inner.find(['-', ',', ']']).unwrap_or(inner.len())],
    };
    let host = format!("{name}{first}");
    if host.is_empty() {
        return Err(Error::Config(format!("SLURM_STEP_NODELIST is {list:?}, which names no machine")));
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(vars: &[(&str, &str)]) -> Result<Option<Place>> {
        Place::of(&|name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    const TORCHRUN: [(&str, &str); 4] =
        [("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "10.0.0.7"), ("MASTER_PORT", "29500")];

    #[test]
    fn a_place_is_read_of_all_variables_together() {
        let found = place(&TORCHRUN).unwrap().unwrap();
        assert_eq!((found.rank, found.size, found.port, found.host.as_str()), (1, 2, 29500, "10.0.0.7"));
        assert!(!found.is_served && found.attempt == "0");
        let elastic =
            [("TORCHELASTIC_USE_AGENT_STORE", "True"), ("TORCHELASTIC_RESTART_COUNT", "2"), ("LOCAL_WORLD_SIZE", "2")];
        let found = place(&[&TORCHRUN[..], &elastic].concat()).unwrap().unwrap();
        assert!(found.is_served && found.attempt == "2" && found.local_size == 2);
    }

    #[test]
    fn without_a_rank_or_alone_there_is_no_group() {
        assert_eq!(place(&[]).unwrap(), None);
        assert_eq!(place(&TORCHRUN[1..]).unwrap(), None);
        let alone = [("RANK", "0"), ("WORLD_SIZE", "1"), TORCHRUN[2], TORCHRUN[3]];
        assert_eq!(place(&alone).unwrap(), None);
    }

    #[test]
    fn what_is_missing_or_no_number_is_named() {
        let told = |vars: &[(&str, &str)]| place(vars).unwrap_err().to_string();
        assert!(told(&TORCHRUN[..2]).contains("RANK is set, and MASTER_ADDR, MASTER_PORT are not"));
        assert!(told(&[TORCHRUN[0], TORCHRUN[1], TORCHRUN[2]]).contains("MASTER_PORT is not"));
        assert_eq!(
            told(&[("RANK", "2"), TORCHRUN[1], TORCHRUN[2], TORCHRUN[3]]),
            "RANK is 2; it must be a number below WORLD_SIZE, 2"
        );
        assert_eq!(
            told(&[TORCHRUN[0], TORCHRUN[1], TORCHRUN[2], ("MASTER_PORT", "99999")]),
            "MASTER_PORT is 99999; it must be a whole number from 1 to 65535"
        );
    }

    #[test]
    fn slurms_variables_name_the_first_machine() {
        for (list, host) in
            [("n1", "n1"), ("n1,n2", "n1"), ("n[03-05,9]", "n03"), ("gpu[7],x", "gpu7"), ("n[1,2]", "n1")]
        {
            assert_eq!(first_host(list).unwrap(), host);
        }
        let vars = [
            ("SLURM_PROCID", "3"),
            ("SLURM_NTASKS", "8"),
            ("SLURM_STEP_NODELIST", "n[03-05]"),
            ("SLURM_JOB_ID", "4711"),
            ("SLURM_STEP_TASKS_PER_NODE", "4(x2)"),
        ];
        let var = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let found = Place::of_slurm(&var).unwrap().unwrap();
        assert_eq!((found.rank, found.size, found.local_size, found.host.as_str()), (3, 8, 4, "n03"));
        assert_eq!(found.port, 20_000 + (4711_u32 * 31 % 20_000) as u16);
        assert!(Place::of_slurm(&|_| None).unwrap_err().to_string().contains("SLURM_PROCID is not set"));
    }
}
