//! What workers hand over besides logs, and what they are handed. Invariants: what an attempt shows is written only while it holds its
//! run; an attempt reads artifacts only of the runs that its own job needs.

use async_trait::async_trait;
use branchline_core::results;
use branchline_model::{Artifact, BuildDefinition, JobName, ObjectKey, Results, Run, RunId, keys};
use branchline_ports::{
    BegunUpload, HandOver, Lease, NeededArtifact, NewArtifact, ObjectError, ObjectPart, Objects, Pieces,
    ProtocolError, Ring,
};

use crate::upload::{SIGNED_FOR, UploadError};
use crate::work::{gone, unavailable};
use crate::{Controller, ControllerError};

/// What an attempt shows has no more text than this: it has to fit into a row.
const LARGEST_RESULTS: usize = 256 << 10;

/// The word for a worker, of what came of an upload.
fn said(error: UploadError) -> ProtocolError {
    match error {
        UploadError::Fenced { attempt } => {
            ProtocolError::Fenced { attempt, why: "it does not hold the run".to_owned() }
        }
        UploadError::Taken { .. }
        | UploadError::Parts { .. }
        | UploadError::NoObjects
        | UploadError::Object(ObjectError::Different { .. } | ObjectError::AlreadyThere { .. }) => {
            ProtocolError::Refused { why: error.to_string() }
        }
        UploadError::Over { .. }
        | UploadError::Object(ObjectError::Unavailable { .. } | ObjectError::NotFound { .. })
        | UploadError::Controller(_) => ProtocolError::Unavailable { why: error.to_string() },
    }
}

#[async_trait]
impl HandOver for Controller {
    async fn show_results(&self, lease: &Lease, results: Results) -> Result<(), ProtocolError> {
        let length = results.weight();
        if length > LARGEST_RESULTS {
            let why =
                format!("what the attempt shows has {length} bytes, and at most {LARGEST_RESULTS} are kept");
            return Err(ProtocolError::Refused { why });
        }
        let (worker, attempt) = (&lease.worker, &lease.attempt);
        self.write_holding(lease, |run| results::show(run, worker, attempt, results.clone())).await
    }

    async fn begin_upload(
        &self,
        lease: &Lease,
        new: NewArtifact,
    ) -> Result<Option<BegunUpload>, ProtocolError> {
        self.must_hold(lease).await?;
        let key = keys::artifact(&lease.attempt, &new.name);
        if self.row::<Artifact>(key).await.map_err(unavailable)?.is_some() {
            return Ok(None);
        }
        Controller::begin_upload(self, lease, new).await.map(Some).map_err(said)
    }

    async fn put_upload(
        &self,
        lease: &Lease,
        id: &str,
        pieces: &mut dyn Pieces,
    ) -> Result<(), ProtocolError> {
        self.must_hold(lease).await?;
        Controller::put_upload(self, lease, id, pieces).await.map_err(said)
    }

    async fn name_artifact(&self, lease: &Lease, id: &str, name: &ObjectKey) -> Result<(), ProtocolError> {
        self.must_hold(lease).await?;
        match Controller::name_artifact(self, lease, id, name).await {
            Ok(_) => {
                self.bell.ring(Ring::BuildChanged(lease.attempt.run.build.clone()));
                Ok(())
            }
            Err(error) => Err(said(error)),
        }
    }

    async fn needed_artifacts(&self, lease: &Lease) -> Result<Vec<NeededArtifact>, ProtocolError> {
        self.must_hold(lease).await?;
        let mut needed = Vec::new();
        for (job, cell, run) in self.needed_runs(lease).await? {
            for artifact in self.artifacts_shown(&run).await.map_err(unavailable)? {
                let signer = self.artifacts.objects().and_then(Objects::signer);
                let request = match signer {
                    Some(signer) => {
                        let signed = signer.sign_download(&artifact.key, SIGNED_FOR).await;
                        Some(signed.map_err(ControllerError::Object).map_err(unavailable)?)
                    }
                    None => None,
                };
                needed.push(NeededArtifact { job: job.clone(), cell: cell.clone(), artifact, request });
            }
        }
        Ok(needed)
    }

    async fn read_needed(
        &self,
        lease: &Lease,
        artifact: &Artifact,
        offset: u64,
        most: usize,
    ) -> Result<ObjectPart, ProtocolError> {
        self.must_hold(lease).await?;
        let is_needed =
            self.needed_runs(lease).await?.into_iter().any(|(_, _, run)| run == artifact.attempt.run);
        let key = keys::artifact(&artifact.attempt, &artifact.name);
        let there = self.row::<Artifact>(key).await.map_err(unavailable)?.map(|row| row.value);
        match there {
            Some(there) if is_needed && there == *artifact => {
                match self.read_artifact(&there, offset, most).await {
                    // Its row is there, so it was not retired: no try will find it.
                    Err(UploadError::Object(error @ ObjectError::NotFound { .. })) => {
                        Err(ProtocolError::Refused {
                            why: format!("the artifact `{}` is lost: {error}", artifact.name),
                        })
                    }
                    part => part.map_err(said),
                }
            }
            _ => {
                let why = format!("`{}` is no artifact of a job that this one needs", artifact.name);
                Err(ProtocolError::Refused { why })
            }
        }
    }
}

impl Controller {
    /// The runs of the jobs that this run's job names in `needs`, each with its cell where its job has several.
    async fn needed_runs(
        &self,
        lease: &Lease,
    ) -> Result<Vec<(JobName, Option<String>, RunId)>, ProtocolError> {
        let id = &lease.attempt.run;
        let key = keys::build_definition(&id.build);
        let definition = self.row::<BuildDefinition>(key).await.map_err(unavailable)?;
        let definition = definition.ok_or_else(|| gone(&lease.attempt))?.value;
        Ok(results::needed_runs(&definition, id))
    }

    /// The artifacts that a run shows: those of its last attempt.
    pub async fn artifacts_shown(&self, run: &RunId) -> Result<Vec<Artifact>, ControllerError> {
        let last = self.row::<Run>(keys::run(run)).await?.map(|run| run.value.attempts);
        let mut artifacts = self.artifacts(run).await?;
        artifacts.retain(|artifact| Some(artifact.attempt.number) == last);
        Ok(artifacts)
    }
}
