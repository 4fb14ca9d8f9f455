import SyncDomain
import TestSupport
import Testing

/// What any store must do with models: on disk and in memory.
@Suite(.timeLimit(.minutes(1)))
struct ViewContract {
    let one: Sample
    let two: Sample
    let three: Sample

    init() throws {
        one = try Sample(1000, seed: 1)
        two = try Sample(2000, seed: 2)
        three = try Sample(3000, seed: 3)
    }

    @Test(arguments: StoreKind.allCases)
    func publishShowsExactlyTheSet(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("kind/size", ["a": one, "deep/er/b": two, "deep/again": one])
            try await world.bring(model, one, two, three)
            #expect(world.paths(of: model) == ["a", "deep/again", "deep/er/b"], world.dump)
            #expect(world.bytes("a", of: model) == one.bytes)
            #expect(world.bytes("deep/er/b", of: model) == two.bytes)
            #expect(world.bytes("deep/again", of: model) == one.bytes)
            let found = try await world.survey(model)
            #expect(found.isRecordCurrent, world.dump)
            #expect(
                found.files.allSatisfy { $0 == FileInventory(blob: .intact, view: .current, recorded: .sameBytes) },
                world.dump)
            #expect(found.dropped == [] && found.unmanaged == [])
            #expect(
                world.store.viewPath(try RelativePath("deep/er/b"), of: model.name)
                    == "\(world.store.path)/models/kind/size/deep/er/b")
        }
    }

    @Test(arguments: StoreKind.allCases)
    func anUpdateDropsOldFilesAndLeavesUnmanagedOnesAlone(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let old = try modelOf("m", ["keep": one, "change": one, "sub/drop": two])
            try await world.bring(old, one, two, three)
            try world.write([7, 7], to: "mine", of: old)
            try world.write([8], to: "sub/also-mine", of: old)
            let new = try modelOf("m", ["keep": one, "change": three, "new/file": two])
            let before = try await world.survey(new)
            #expect(before.files.map(\.recorded) == [.otherBytes, .sameBytes, .unknown], world.dump)
            #expect(before.files.map(\.view) == [.other, .current, .absent], world.dump)
            #expect(before.dropped == [ExtraFile(path: "sub/drop", size: 2000, sha256: two.digest)], world.dump)
            #expect(before.unmanaged.map(\.path) == ["mine", "sub/also-mine"], world.dump)
            #expect(before.unmanaged.map(\.size) == [2, 1], world.dump)
            #expect(!before.isRecordCurrent)

            _ = try await world.store.publish(new)
            #expect(world.paths(of: new) == ["change", "keep", "mine", "new/file", "sub/also-mine"], world.dump)
            #expect(world.bytes("change", of: new) == three.bytes)
            #expect(world.bytes("mine", of: new) == [7, 7])
            #expect(world.bytes("sub/also-mine", of: new) == [8])
            #expect(world.bytes("sub/drop", of: new) == nil)
            let after = try await world.survey(new)
            #expect(after.isRecordCurrent && after.dropped == [], world.dump)
            #expect(after.unmanaged.map(\.path) == ["mine", "sub/also-mine"], world.dump)
            // What was dropped is a blob still.
            #expect(world.blob(two.digest) == two.bytes)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func publishingTheSameAgainChangesNothing(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one, "b/c": two])
            try await world.bring(model, one, two)
            try world.write([9], to: "b/mine", of: model)
            let notes = try await world.store.publish(model)
            #expect(notes == [])
            #expect(world.paths(of: model) == ["a", "b/c", "b/mine"], world.dump)
            #expect(try await world.survey(model).isRecordCurrent)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func publishTakesThePathsOfTheManifestAndNoOthers(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one, "d/e": one])
            try world.write([1], to: "a", of: model)
            try world.write([2], to: "d/f", of: model)
            #expect(try await world.survey(model).files.map(\.view) == [.other, .absent], world.dump)
            try await world.bring(model, one)
            #expect(world.bytes("a", of: model) == one.bytes, world.dump)
            #expect(world.bytes("d/f", of: model) == [2], world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases, ["a", "a/b/c"])
    func whatIsTheUsersIsNotRemovedToMakeRoom(_ kind: StoreKind, _ path: String) async throws {
        try await StoreWorld.with(kind) { world in
            let old = try modelOf("m", ["x": one])
            try await world.bring(old, one)
            try world.write([5], to: "a/b", of: old)
            let new = try modelOf("m", ["x": one, path: one])
            #expect(await failure { try await world.store.publish(new) }?.code == .storeIO, world.dump)
            #expect(world.paths(of: new) == ["a/b", "x"], world.dump)
            #expect(world.bytes("a/b", of: new) == [5])
            #expect(try await world.survey(old).isRecordCurrent, world.dump)
            // With the set as it was, one view at a time.
            #expect(await failure { try await world.store.mend([try one.file(path)], of: old.name) }?.code == .storeIO)
            #expect(world.bytes("a/b", of: new) == [5])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func publishWithoutABlobChangesNothing(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let old = try modelOf("m", ["a": one])
            try await world.bring(old, one)
            let new = try modelOf("m", ["a": one, "b": two])
            #expect(await failure { try await world.store.publish(new) }?.code == .storeIO)
            #expect(world.paths(of: new) == ["a"], world.dump)
            #expect(try await world.survey(old).isRecordCurrent, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func mendPutsSingleViewsInPlace(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one, "b": two, "c": three])
            try await world.bring(model, one, two, three)
            try world.removeView("a", of: model)
            try world.write([0], to: "b", of: model)
            try world.write([0], to: "c", of: model)
            #expect(try await world.survey(model).files.map(\.view) == [.absent, .other, .other], world.dump)
            let notes = try await world.store.mend([try one.file("a"), try two.file("b")], of: model.name)
            #expect(notes == [])
            #expect(world.bytes("a", of: model) == one.bytes)
            #expect(world.bytes("b", of: model) == two.bytes)
            #expect(world.bytes("c", of: model) == [0])
            #expect(try await world.survey(model).files.map(\.view) == [.current, .current, .other], world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func surveyOfAnEmptyStoreFindsNothing(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one, "b": two])
            let inventory = try await world.store.survey(manifest(model), depth: .full) { _ in }
            #expect(inventory.models.map(\.files) == [[FileInventory(), FileInventory()]])
            #expect(inventory.bytesFree > 0)
            #expect(inventory.bytesVerified == 0)
            #expect(world.blobCount == 0, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aDeletedBlobIsAdoptedFromItsView(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one, "sub/b": one])
            try await world.bring(model, one)
            try world.removeBlob(one.digest)
            let found = try await world.survey(model)
            #expect(found.files.map(\.blob) == [.absent, .absent])
            #expect(found.files.map(\.view) == [.holdsBytes, .holdsBytes], world.dump)
            try await world.store.adopt(try RelativePath("sub/b"), of: model.name, as: one.digest)
            #expect(world.blob(one.digest) == one.bytes, world.dump)
            #expect(try await world.bring(one) == nil)
            _ = try await world.store.publish(model)
            #expect(
                try await world.survey(model).files.allSatisfy { $0.blob == .intact && $0.view == .current }, world.dump
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aFileThatTheUserBroughtIsAdopted(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one])
            try world.write(one.bytes, to: "a", of: model)
            #expect(try await world.survey(model).files == [FileInventory(view: .holdsBytes)], world.dump)
            try await world.store.adopt(try RelativePath("a"), of: model.name, as: one.digest)
            #expect(try await world.survey(model).files.map(\.blob) == [.intact], world.dump)
            #expect(try await world.survey(model).files.map(\.view) == [.current], world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aTouchedBlobIsUnsealedUntilItIsSealedAgain(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one, "b": two])
            try await world.bring(model, one, two)
            try world.unseal(one.digest)
            let inventory = try await world.store.survey(manifest(model), depth: .quick) { _ in }
            #expect(inventory.models[0].files.map(\.blob) == [.unsealed, .intact], world.dump)
            #expect(inventory.models[0].files.map(\.view) == [.current, .current], world.dump)
            #expect(inventory.bytesVerified == one.size)
            await world.store.reseal(one.digest)
            let after = try await world.store.survey(manifest(model), depth: .quick) { _ in }
            #expect(after.models[0].files.map(\.blob) == [.intact, .intact], world.dump)
            #expect(after.bytesVerified == 0)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func wrongBytesAreFoundAndReplacedWithTheViewsOfThem(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one, "b": two])
            try await world.bring(model, one, two)
            try world.damage(one.digest, to: Payload.bytes(1000, seed: 99))
            let found = try await world.survey(model)
            guard case .damaged(.digestMismatch, _) = found.files[0].blob else {
                Issue.record("\(found.files)\n\(world.dump)")
                return
            }
            #expect(try await world.bring(one) == .committed, world.dump)
            _ = try await world.store.publish(model)
            #expect(world.bytes("a", of: model) == one.bytes, world.dump)
            #expect(
                try await world.survey(model, .full).files.allSatisfy { $0.blob == .intact && $0.view == .current },
                world.dump)
        }
    }

    /// The view is a second name of the rotten bytes, under a seal that looks whole.
    @Test(arguments: StoreKind.allCases, [true, false])
    func rotUnderAWholeSealIsFoundByAFullSurveyAndReplacedWithTheViewsOfIt(_ kind: StoreKind, mending: Bool)
        async throws
    {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one, "b": two])
            let second = try modelOf("second", ["x": one])
            try await world.bring(model, one, two)
            _ = try await world.store.publish(second)
            try world.damage(one.digest, to: Payload.bytes(1000, seed: 99), keepsSeal: true)
            #expect(try await world.survey(model).files.map(\.blob) == [.intact, .intact])
            #expect(try await world.bring(one) == nil)
            guard case .damaged(.digestMismatch, _) = try await world.survey(model, .full).files[0].blob else {
                Issue.record("a full survey found no rot\n\(world.dump)")
                return
            }
            // Now it is known not to be there.
            #expect(try await world.bring(one) == .committed, world.dump)
            if mending {
                _ = try await world.store.mend([try one.file("a")], of: model.name)
            } else {
                _ = try await world.store.publish(model)
            }
            #expect(world.bytes("a", of: model) == one.bytes, world.dump)
            #expect(try await world.survey(second).files.map(\.view) == [.other], world.dump)
            _ = try await world.store.publish(second)
            #expect(world.bytes("x", of: second) == one.bytes, world.dump)
            #expect(
                try await world.survey(model, .full).files.allSatisfy { $0.blob == .intact && $0.view == .current },
                world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aCutBlobIsDamagedAndItsPartialCounts(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one])
            try await world.bring(model, one)
            try world.damage(one.digest, to: [1, 2, 3])
            guard case .damaged(.sizeMismatch, _) = try await world.survey(model).files[0].blob else {
                Issue.record("\(world.dump)")
                return
            }
            let ingest = try await world.ready(one)
            try ingest.begin(0)
            try ingest.write(one.bytes.prefix(400))
            ingest.close()
            #expect(try await world.survey(model).files[0].partialBytes == 400, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func partialBytesOfABlobThatAFullSurveyFindsRottenCount(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(1000, seed: 5)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try ingest.write(sample.bytes.prefix(400))
            ingest.close()
            let again = try await world.ready(sample)
            _ = try await again.fill(sample.bytes)
            try world.damage(sample.digest, to: Payload.bytes(1000, seed: 6))
            guard case .damaged = try await world.survey(sample, .full).blob else {
                Issue.record("\(world.dump)")
                return
            }
            let repair = try await world.ready(sample)
            try repair.begin(0)
            try repair.write(sample.bytes.prefix(300))
            repair.close()
            try world.unseal(sample.digest)
            #expect(try await world.survey(sample, .full).partialBytes == 300, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func theSameBytesAreHashedOnce(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one, "b": one, "c": one])
            let other = try modelOf("n", ["a": one])
            try await world.bring(model, one)
            _ = try await world.store.publish(other)
            let (told, announced) = (Counter(), Counter())
            let inventory = try await world.store.survey(manifest(model, other), depth: .full) { progress in
                switch progress {
                case .willHash(let bytes): announced.add(bytes)
                case .hashed(let bytes): told.add(bytes)
                }
            }
            #expect(inventory.bytesVerified == one.size)
            #expect(told.sum == one.size && announced.sum == one.size)
            #expect(
                inventory.models.flatMap(\.files).allSatisfy { $0.blob == .intact && $0.view == .current }, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func whereNothingIsHashedNothingIsAnnounced(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one])
            try await world.bring(model, one)
            let told = Counter()
            _ = try await world.store.survey(manifest(model), depth: .quick) { _ in told.add(1) }
            #expect(told.sum == 0)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aCancelledSurveyThrows(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let model = try modelOf("m", ["a": one])
            try await world.bring(model, one)
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return await failure { try await world.store.survey(manifest(model), depth: .full) { _ in } }
            }
            task.cancel()
            #expect(await task.value?.code == .cancelled)
        }
    }
}
