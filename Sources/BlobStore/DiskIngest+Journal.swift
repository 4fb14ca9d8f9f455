internal import SyncDomain
internal import Synchronization
internal import SystemSupport

extension DiskStore {
    /// What is told of the blob's partial; nil where that is nothing.
    func journal(of digest: SHA256Digest) -> PartialJournal? {
        let name = StoreLayout.journalFile(digest, owner)
        let bytes = try? folder(StoreLayout.partial).file(name, .read).readAll(limit: 1 << 20)
        return bytes.flatMap(PartialJournal.decode)
    }
}

/// What a later run must know of a partial and can't see in it: whose bytes they are, and which are there.
extension DiskIngest {
    private var journalName: String { StoreLayout.journalFile(digest, store.owner) }

    /// Keeps the journal true to the bytes: it speaks of one version of one source, or of none.
    func note(_ validator: Validator?, offset: Int64) throws(SystemFailure) {
        let (known, source) = state.withLock { ($0.validated, $0.source) }
        guard let source else { return }
        let sourceSHA256 = SHA256Digest(of: Array(source.text.utf8))
        let isSame = known.map { $0.sourceSHA256 == sourceSHA256 && $0.validator == validator } ?? false
        if offset > 0 && isSame { return }
        let validated = offset == 0 ? validator.map { (sourceSHA256: sourceSHA256, validator: $0) } : nil
        state.withLock { $0.validated = validated }
        try saveJournal()
    }

    /// Writes what there is to tell, or removes the journal.
    func saveJournal() throws(SystemFailure) {
        let result = journaling.withLock { _ in
            Result { () throws(SystemFailure) in
                let journal = state.withLock { state in
                    PartialJournal(
                        state.validated?.sourceSHA256, state.validated?.validator,
                        state.isSegmented ? state.written : nil)
                }
                guard let journal else { return removeJournal() }
                // A crash may lose it: the bytes are then continued without a validator, and the digest decides.
                try store.folder(StoreLayout.partial)
                    .replace(journalName, with: journal.encoded, mode: 0o600, isDurable: false)
            }
        }
        try result.get()
    }

    func removeJournal() {
        try? store.folder(StoreLayout.partial).removeFile(journalName)
    }
}
