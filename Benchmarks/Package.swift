// swift-tools-version: 6.2
import PackageDescription

// Needs `-Xswiftc -enable-testing`, as `make benchmark` gives it: the hashing that it measures is internal to BlobStore,
// and a release build shows that to nobody else.
let package = Package(
    name: "modelsync-benchmarks",
    products: [.executable(name: "hash-benchmark", targets: ["HashBenchmark"])],
    dependencies: [
        .package(name: "modelsync", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        .executableTarget(
            name: "HashBenchmark",
            dependencies: [
                .product(name: "ModelSyncKit", package: "modelsync"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [
                .swiftLanguageMode(.v6),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
                .enableUpcomingFeature("InferIsolatedConformances"),
                .treatAllWarnings(as: .error),
            ])
    ]
)
