//! Artifacts of runs. Invariants: an upload's row is stored before anybody may write its object, and an object counts only once a
//! commit that holds the run names it; what no commit named is removed after its time, the object first, its row last. Who may read
//! an artifact is not decided here.

use std::time::Duration;

use branchline_core::upload::{self, Refused};
use branchline_model::{
    Artifact, AttemptId, Content, Expectation, OBJECT_PART, ObjectKey, Plan, Run, RunDefinitionRow, RunId,
    Upload, UploadState, Versioned, keys,
};
use branchline_ports::{
    BegunUpload, Destination, Lease, NewArtifact, ObjectError, ObjectPart, Objects, Page, Pieces, StoreError,
};

use crate::commit::{MOST_TRIES, Outcome};
use crate::{Controller, ControllerError};

/// So long a signed request may be begun.
pub(crate) const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

/// So long an upload may take until it is named. Much longer than its requests may be begun, so that none is under way when what it writes
/// is removed.
const UPLOAD_TIME: Duration = Duration::from_secs(60 * 60);

/// No run has more artifacts than are read at once.
const MOST_ARTIFACTS: usize = 10_000;

/// S3 takes no more parts of one object.
const MOST_PARTS: u64 = 10_000;

/// Why an artifact was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// The attempt does not hold the run any more.
    #[error("{attempt} does not count any more")]
    Fenced {
        /// Which.
        attempt: AttemptId,
    },
    /// The attempt has an artifact of this name already, which holds something else.
    #[error("there is an artifact `{name}` already")]
    Taken {
        /// Its name.
        name: ObjectKey,
    },
    /// There is no such upload, or its time is out: begin it anew.
    #[error("there is no upload `{id}`, or its time is out: begin it anew")]
    Over {
        /// Its id.
        id: String,
    },
    /// What was said of it cannot be.
    #[error("{bytes} bytes have {parts} parts of {OBJECT_PART} bytes, or are too many: {said} were given")]
    Parts {
        /// How many bytes it is to have.
        bytes: u64,
        /// How many parts those have.
        parts: u64,
        /// How many digests were given.
        said: usize,
    },
    /// No objects are kept here.
    #[error("no artifacts are kept here")]
    NoObjects,
    /// The object could not be written, or is not what was said.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The rows could not be read or written.
    #[error(transparent)]
    Controller(#[from] ControllerError),
}

impl From<StoreError> for UploadError {
    fn from(error: StoreError) -> Self {
        Self::Controller(error.into())
    }
}

impl Controller {
    fn objects(&self) -> Result<&dyn Objects, UploadError> {
        self.artifacts.objects().ok_or(UploadError::NoObjects)
    }

    /// Begins an upload: records it, and says where its bytes go.
    pub async fn begin_upload(&self, lease: &Lease, new: NewArtifact) -> Result<BegunUpload, UploadError> {
        let content = Content::in_parts(new.bytes, new.sha256, &new.parts);
        let (parts, said) = (content.count(), new.parts.len());
        if parts > MOST_PARTS || (parts > 1 && said as u64 != parts) {
            return Err(UploadError::Parts { bytes: new.bytes, parts, said });
        }
        let signer = self.objects()?.signer();
        let id = self.clock.fresh_id();
        let attempt = lease.attempt.clone();
        let build = &attempt.run.build;
        let place = format!("{}/{}/{}.{}", build.repository, build.number, attempt.run.index, attempt.number);
        let key = ObjectKey::try_from(format!("artifacts/{place}/{id}/{}", new.name));
        let key =
            key.map_err(|error| ObjectError::Different { key: error.text.clone(), why: error.to_string() })?;
        // Nothing can be written by its id alone, and the bucket gives up what is never completed.
        let begun = match signer {
            Some(signer) if parts > 1 => Some(signer.begin_parts(&key, &content).await?),
            _ => None,
        };
        let upload = Upload {
            attempt,
            worker: lease.worker.clone(),
            id: id.clone(),
            name: new.name,
            key: key.clone(),
            content: content.clone(),
            parts: begun.clone(),
            ends_at: self.clock.now().after(UPLOAD_TIME),
            state: UploadState::Open,
        };
        self.record(lease, upload).await?;
        let destination = match signer {
            None => Destination::Controller,
            Some(signer) => {
                let sign = signer.sign_upload(&key, &content, &new.parts, begun.as_deref(), SIGNED_FOR);
                Destination::Requests(sign.await?)
            }
        };
        Ok(BegunUpload { id, destination })
    }

    async fn record(&self, lease: &Lease, upload: Upload) -> Result<(), UploadError> {
        for _ in 0..MOST_TRIES {
            let run = self.held_run(lease).await?;
            let plan = upload::begin(&run, upload.clone()).map_err(|refusal| refused(&refusal, &upload))?;
            if let Outcome::Done = self.commit(plan).await? {
                return Ok(());
            }
        }
        Err(contended(&upload))
    }

    async fn held_run(&self, lease: &Lease) -> Result<Versioned<Run>, UploadError> {
        let run = self.row::<Run>(keys::run(&lease.attempt.run)).await?;
        run.ok_or_else(|| UploadError::Fenced { attempt: lease.attempt.clone() })
    }

    async fn upload(&self, attempt: &AttemptId, id: &str) -> Result<Versioned<Upload>, UploadError> {
        let upload = self.row::<Upload>(keys::upload(attempt, id)).await?;
        upload.ok_or_else(|| UploadError::Over { id: id.to_owned() })
    }

    /// Takes the bytes of an upload that go to the controller.
    pub async fn put_upload(
        &self,
        lease: &Lease,
        id: &str,
        pieces: &mut dyn Pieces,
    ) -> Result<(), UploadError> {
        let upload = self.upload(&lease.attempt, id).await?.value;
        if upload.worker != lease.worker {
            return Err(UploadError::Fenced { attempt: lease.attempt.clone() });
        }
        if upload.state == UploadState::Removing {
            return Err(UploadError::Over { id: id.to_owned() });
        }
        let objects = self.objects()?;
        match objects.put_object(&upload.key, &upload.content, pieces).await {
            // Also where the answer was lost: it is what was said, or it would not be there.
            Ok(()) | Err(ObjectError::AlreadyThere { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        // What was written while it was being removed would stay for ever.
        match self.upload(&lease.attempt, id).await {
            Ok(upload) if upload.value.state == UploadState::Open => return Ok(()),
            Ok(_) => {}
            // It goes when it is named, too: bytes that are sent twice may come so late.
            Err(UploadError::Over { .. }) => {
                let named = self.row::<Artifact>(keys::artifact(&lease.attempt, &upload.name)).await?;
                if named.is_some_and(|artifact| artifact.value.key == upload.key) {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
        objects.delete_object(&upload.key).await?;
        Err(UploadError::Over { id: id.to_owned() })
    }

    /// Makes an artifact of an upload whose bytes are all there. May be said again.
    pub async fn name_artifact(
        &self,
        lease: &Lease,
        id: &str,
        name: &ObjectKey,
    ) -> Result<Artifact, UploadError> {
        let objects = self.objects()?;
        for _ in 0..MOST_TRIES {
            let there =
                self.row::<Artifact>(keys::artifact(&lease.attempt, name)).await?.map(|row| row.value);
            if let Some(artifact) = there.as_ref().filter(|there| is_of(there, id)) {
                return Ok(artifact.clone());
            }
            let upload = self.upload(&lease.attempt, id).await?;
            let run = self.held_run(lease).await?;
            let now = self.clock.now();
            let keep = self.time_to_keep(&lease.attempt.run, name).await?;
            let plan = upload::name(&run, &upload, there.as_ref(), keep, now)
                .map_err(|refusal| refused(&refusal, &upload.value))?;
            let Upload { key, content, parts, .. } = &upload.value;
            if let (Some(signer), Some(parts)) = (objects.signer(), parts) {
                match signer.complete_parts(key, content, parts).await {
                    // Completed before, by a request whose answer was lost: what is there is looked at now.
                    Ok(()) | Err(ObjectError::AlreadyThere { .. } | ObjectError::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            objects.check_object(key, content).await?;
            if let Outcome::Done = self.commit(plan).await? {
                let Upload { attempt, name, key, content, .. } = upload.value;
                return Ok(Artifact { attempt, name, key, content, named_at: now });
            }
        }
        Err(UploadError::Controller(ControllerError::Contended { what: format!("the upload {id}") }))
    }

    /// How long an artifact is kept, as its run's definition says.
    async fn time_to_keep(&self, run: &RunId, name: &ObjectKey) -> Result<Option<Duration>, StoreError> {
        let definition = self.row::<RunDefinitionRow>(keys::run_definition(run)).await?;
        let artifacts = definition.map(|row| row.value.0.artifacts).unwrap_or_default();
        Ok(artifacts
            .iter()
            .find(|artifact| artifact.name == name.as_str())
            .and_then(|artifact| artifact.keep))
    }

    /// Removes an artifact whose time is over, the object first.
    pub(crate) async fn forget_artifact(
        &self,
        attempt: &AttemptId,
        name: &ObjectKey,
    ) -> Result<(), ControllerError> {
        let key = keys::artifact(attempt, name);
        let Some(artifact) = self.row::<Artifact>(key.clone()).await? else { return Ok(()) };
        if let Some(objects) = self.artifacts.objects() {
            objects.delete_object(&artifact.value.key).await.map_err(ControllerError::Object)?;
        }
        self.store.discard(&[key]).await?;
        Ok(())
    }

    /// The artifacts of a run, by attempt and name.
    pub async fn artifacts(&self, run: &RunId) -> Result<Vec<Artifact>, StoreError> {
        let page = Page {
            prefix: keys::ARTIFACT_PREFIX.to_owned(),
            ..Page::of(keys::run_parts(run), MOST_ARTIFACTS)
        };
        Ok(self.page::<Artifact>(&page).await?.into_iter().map(|row| row.value).collect())
    }

    /// A part of an artifact.
    pub async fn read_artifact(
        &self,
        artifact: &Artifact,
        offset: u64,
        most: usize,
    ) -> Result<ObjectPart, UploadError> {
        Ok(self.objects()?.get_object(&artifact.key, offset, most).await?)
    }

    /// Removes an upload that no commit named in its time; first it is said that none will.
    pub(crate) async fn sweep_upload(&self, attempt: &AttemptId, id: &str) -> Result<(), ControllerError> {
        for _ in 0..MOST_TRIES {
            let Some(upload) = self.row::<Upload>(keys::upload(attempt, id)).await? else { return Ok(()) };
            if let Outcome::Again = self.commit(upload::give_up(&upload)).await? {
                continue;
            }
            let Upload { key, parts, name, .. } = upload.value;
            // One that was named may be noted once more by a request that came very late: then the object is somebody's.
            let artifact = self.row::<Artifact>(keys::artifact(attempt, &name)).await?;
            let is_named = artifact.is_some_and(|artifact| artifact.value.key == key);
            if !is_named && let Some(objects) = self.artifacts.objects() {
                if let (Some(signer), Some(parts)) = (objects.signer(), parts) {
                    signer.abort_parts(&key, &parts).await.map_err(ControllerError::Object)?;
                }
                objects.delete_object(&key).await.map_err(ControllerError::Object)?;
            }
            let mut plan = Plan::default();
            plan.delete(keys::upload(attempt, id), Expectation::Any);
            self.commit(plan).await?;
            return Ok(());
        }
        Err(ControllerError::Contended { what: format!("the upload {id}") })
    }
}

/// Whether an artifact was made of this upload: its key says so.
fn is_of(artifact: &Artifact, id: &str) -> bool {
    artifact.key.as_str().split('/').any(|part| part == id)
}

fn refused(refusal: &Refused, upload: &Upload) -> UploadError {
    match refusal {
        Refused::Fenced => UploadError::Fenced { attempt: upload.attempt.clone() },
        Refused::Taken => UploadError::Taken { name: upload.name.clone() },
        Refused::Over => UploadError::Over { id: upload.id.clone() },
    }
}

fn contended(upload: &Upload) -> UploadError {
    UploadError::Controller(ControllerError::Contended { what: format!("the upload {}", upload.id) })
}
