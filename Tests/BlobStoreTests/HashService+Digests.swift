import SyncDomain

@testable import BlobStore

extension HashService {
    /// The digests of a batch of these alone.
    func digests(_ jobs: [HashJob]) async -> [SHA256Digest?] {
        let batch = batch()
        for job in jobs { batch.add(job) }
        return await batch.digests()
    }
}
