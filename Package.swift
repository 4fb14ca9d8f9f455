// swift-tools-version: 6.2
import PackageDescription

// Applied to every target: Swift 6 mode, the upcoming features that make imports and isolation explicit, and
// warnings that fail the build.
let testSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .treatAllWarnings(as: .error),
]

// Every unsafe expression is marked: the adapters of C show theirs, the other targets prove that they have none.
let settings = testSettings + [.strictMemorySafety()]

let package = Package(
    name: "modelsync",
    products: [
        .library(name: "ModelSyncKit", targets: ["ModelSyncKit"]),
        .executable(name: "modelsync", targets: ["modelsync"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLinux"),
        .target(name: "CSHA256Lanes"),
        .target(name: "SyncDomain", swiftSettings: settings),
        .target(name: "SystemSupport", dependencies: ["SyncDomain", "CLinux"], swiftSettings: settings),
        .target(name: "YAMLManifest", dependencies: ["SyncDomain", "CLibYAML"], swiftSettings: settings),
        .target(name: "CurlTransfer", dependencies: ["SyncDomain", "SystemSupport", "CCurl"], swiftSettings: settings),
        .target(
            name: "BlobStore", dependencies: ["SyncDomain", "SystemSupport", "COpenSSL", "CSHA256Lanes"],
            swiftSettings: settings),
        .target(name: "SyncEngine", dependencies: ["SyncDomain"], swiftSettings: settings),
        .target(
            name: "ModelSyncKit",
            dependencies: ["SyncDomain", "SystemSupport", "YAMLManifest", "CurlTransfer", "BlobStore", "SyncEngine"],
            resources: [
                .embedInCode("Resources/report.html"), .embedInCode("Resources/report.css"),
                .embedInCode("Resources/report.js"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "modelsync",
            dependencies: [
                "ModelSyncKit",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings,
            // In place of the C library's malloc, in the program alone: docs/decisions/0007-the-allocator.md
            linkerSettings: [.linkedLibrary("mimalloc", .when(platforms: [.linux]))]),
        // What docs quote and a test runs: a program that embeds the library.
        .executableTarget(
            name: "embed-example", dependencies: ["ModelSyncKit"], path: "Examples/Embed", swiftSettings: settings),
        .target(
            name: "TestSupport", dependencies: ["SyncDomain"], path: "Tests/TestSupport",
            exclude: ["validate_report.py"], swiftSettings: testSettings),
        .testTarget(name: "SyncDomainTests", dependencies: ["SyncDomain"], swiftSettings: testSettings),
        .testTarget(
            name: "SystemSupportTests", dependencies: ["SystemSupport", "TestSupport"], swiftSettings: testSettings),
        .testTarget(
            name: "YAMLManifestTests", dependencies: ["YAMLManifest", "SyncDomain"], exclude: ["Fixtures"],
            swiftSettings: testSettings),
        .testTarget(
            name: "CurlTransferTests", dependencies: ["CurlTransfer", "SyncDomain", "SystemSupport", "TestSupport"],
            swiftSettings: testSettings),
        .testTarget(
            name: "BlobStoreTests",
            dependencies: ["BlobStore", "CSHA256Lanes", "SyncDomain", "SystemSupport", "TestSupport"],
            exclude: ["Fixtures"], swiftSettings: testSettings),
        .testTarget(
            name: "SyncEngineTests", dependencies: ["SyncEngine", "SyncDomain", "TestSupport"],
            swiftSettings: testSettings),
        .testTarget(
            name: "ModelSyncKitTests", dependencies: ["ModelSyncKit", "SyncDomain", "SyncEngine", "TestSupport"],
            swiftSettings: testSettings),
        .testTarget(
            name: "ModelSyncCommandTests", dependencies: ["ModelSyncKit", "TestSupport", "modelsync"],
            swiftSettings: testSettings),
        .testTarget(
            name: "AcceptanceTests",
            dependencies: ["ModelSyncKit", "SyncDomain", "SyncEngine", "TestSupport", "embed-example", "modelsync"],
            swiftSettings: testSettings),
    ]
)
