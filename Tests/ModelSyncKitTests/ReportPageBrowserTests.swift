import Foundation
import ModelSyncKit
import TestSupport
import Testing

/// The page as Chromium shows it.
@Suite(
    .serialized, .timeLimit(.minutes(3)),
    .enabled(if: Browser.path != nil, "chromium is not installed; `make test` installs it"))
struct ReportPageBrowserTests {
    /// The hosts that reports name are all of example domains; the browser's own are not.
    private static func strangers(_ visit: Browser.Visit) -> [String] { visit.hosts.filter { $0.contains("example") } }

    @Test func aPageThatReachesOutIsFound() async throws {
        let visit = try await Browser.visit(
            "<!doctype html><body><img src=\"http://a.example/x.png\"><script>nothing()</script></body>")
        #expect(!Self.strangers(visit).isEmpty)
        #expect(visit.console.contains { $0.contains("nothing is not defined") })
    }

    @Test(arguments: ["empty", "eventful", "hostile", "large"])
    func thePageIsQuietAndAsksNobody(_ name: String) async throws {
        let reports = [
            "empty": SampleReport.empty, "eventful": SampleReport.eventful, "large": SampleReport.large,
            "hostile": SampleReport.hostile(ReportPageTests.hostile),
        ]
        let visit = try await Browser.visit(try SampleReport.page(of: try #require(reports[name])))
        #expect(visit.console == [])
        #expect(Self.strangers(visit) == [])
        #expect(
            visit.document.contains("id=\"files\"")
                && visit.document.contains("id=\"broken\" class=\"note\" role=\"alert\" hidden"))
        #expect(!visit.document.contains("<img"))
    }

    @Test func aHostileReportIsShownAsText() async throws {
        let visit = try await Browser.visit(
            try SampleReport.page(of: SampleReport.hostile(ReportPageTests.hostile)),
            driver: """
                document.querySelector("#rows .file").click();
                await frame();
                return { images: document.images.length, name: document.getElementById("details-title").textContent,
                  scripts: document.scripts.length, timeline: document.querySelector("#timeline-rows .leaf").textContent };
                """)
        let facts = try visit.facts()
        #expect(facts["images"] as? Int == 0)
        #expect(facts["scripts"] as? Int == 3)
        #expect(facts["name"] as? String == "\(ReportPageTests.hostile)/\(ReportPageTests.hostile)")
        #expect(facts["timeline"] as? String == ReportPageTests.hostile)
    }

    @Test func oneResultHasItsRowItsBarsAndItsMarks() async throws {
        let visit = try await Browser.visit(
            try SampleReport.page(of: SampleReport.eventful),
            driver: """
                const row = [...document.querySelectorAll("#timeline-rows li:not(.pad)")][0];
                const bars = (kind) => [...row.querySelectorAll(".track ." + kind)].map((bar) => [parseFloat(bar.style.left), bar.style.width]);
                const chart = document.getElementById("chart");
                chart.focus();
                chart.dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
                const readout = document.getElementById("chart-readout").textContent;
                row.querySelector("button").click();
                await frame();
                return {
                  label: row.querySelector("button").getAttribute("aria-label"),
                  queued: bars("queued"), first: bars("s0"), second: bars("s1"), waiting: bars("waiting"), verifying: bars("verifying"),
                  spots: [...document.querySelectorAll("#timeline-rows .spot")].map((spot) => spot.textContent).join(""),
                  rows: [...document.querySelectorAll("#rows tr:not(.pad)")].map((tr) => tr.innerText.replaceAll("\\n", "").split("\\t").map((t) => t.trim()).join("|")),
                  readout, chart: document.getElementById("chart-text").textContent,
                  lines: document.querySelectorAll("#chart path.line").length,
                  details: document.getElementById("details").open, title: document.getElementById("details-title").textContent,
                  attempts: document.querySelectorAll("#details tbody tr").length,
                };
                """)
        let facts = try visit.facts()
        #expect(
            facts["label"] as? String
                == "kind/one/a.bin: downloaded; queued 1.00 s, fetching 11.0 s, verifying 1.00 s, "
                + "from a.example, b.example, stalled: 1", "\(facts)")
        func places(_ name: String) -> [Double] {
            (facts[name] as? [[Any]] ?? []).compactMap { ($0.first as? NSNumber)?.doubleValue }
        }
        let run = 31.5
        #expect(places("queued") == [0])
        for (name, start) in [("first", 8.0), ("second", 1.0), ("waiting", 6.0), ("verifying", 12.0)] {
            #expect(abs((places(name).first ?? -1) - start / run * 100) < 0.01, "\(name): \(places(name))")
        }
        #expect(facts["spots"] as? String == "SRF")
        #expect(
            facts["rows"] as? [String] == [
                "kind/one/a.bin|downloaded|1.50 kB|1.50 kB|+1.00 s|12.0 s|125 B/s|2|b.example",
                "kind/one/b.bin|failed|700 B|0 B|+1.00 s|9.00 s|–|2|b.example",
                "kind/two/c.bin|kept|9.00 kB|–|–|–|–|–|–",
            ])
        #expect((facts["readout"] as? String)?.hasPrefix("At ") == true)
        #expect((facts["chart"] as? String)?.hasPrefix("1.50 kB downloaded: 48 B/s over the run") == true, "\(facts)")
        #expect(facts["lines"] as? Int == 2)
        #expect(facts["details"] as? Bool == true)
        #expect(facts["title"] as? String == "kind/one/a.bin")
        #expect(facts["attempts"] as? Int == 2)
    }

    @Test func tenThousandResultsAreSortedSearchedAndScrolledWithFewInThePage() async throws {
        let visit = try await Browser.visit(
            try SampleReport.page(of: SampleReport.large),
            driver: """
                const $ = (id) => document.getElementById(id);
                const rows = () => [...document.querySelectorAll("#rows tr:not(.pad)")];
                const first = () => rows()[0]?.querySelector(".leaf").textContent;
                const type = (id, value, event) => { $(id).value = value; $(id).dispatchEvent(new Event(event)); };
                const facts = { nodes: document.querySelectorAll("*").length, rowcount: $("table").getAttribute("aria-rowcount") };
                rows()[0].querySelector("button").focus();
                for (const id of ["files-view", "timeline-view"]) {
                  $(id).scrollTop = 1e9;
                  $(id).dispatchEvent(new Event("scroll"));
                }
                facts.last = rows().at(-1).getAttribute("aria-rowindex") + " " + rows().at(-1).querySelector(".leaf").textContent;
                const places = rows().map((row) => Number(row.getAttribute("aria-rowindex")));
                facts.gaps = String(places.some((place, index) => index > 0 && place !== places[index - 1] + 1));
                facts.focus = document.activeElement.id;
                facts.lastBar = [...document.querySelectorAll("#timeline-rows .leaf")].at(-1).textContent;
                facts.wide = rows()[0].cells[0].clientWidth > $("table").clientWidth / 4;
                facts.scrolled = document.querySelectorAll("*").length;
                const size = [...document.querySelectorAll("#columns button")].find((b) => b.textContent === "Size");
                size.focus();
                size.click();
                facts.down = [size.parentNode.getAttribute("aria-sort"), first(), document.activeElement === size].join(" ");
                size.click();
                facts.up = [size.parentNode.getAttribute("aria-sort"), first(), $("files-view").scrollTop].join(" ");
                type("search", "PART-0123 set-2", "input");
                facts.search = $("files-count").textContent + " " + first();
                type("search", "", "input");
                type("by-outcome", "failed", "change");
                facts.failed = $("files-count").textContent + " " + rows().length;
                type("by-model", "shards/set-3", "change");
                facts.model = $("files-count").textContent + " " + first();
                type("search", "no such file", "input");
                facts.none = $("files-count").textContent + " " + rows().length;
                type("timeline-order", "trouble", "change");
                facts.trouble = document.querySelector("#timeline-rows .leaf").textContent;
                facts.sorted = [...document.querySelectorAll("[aria-sort]")].length;
                return facts;
                """, "--window-size=850,900")
        let facts = try visit.facts()
        #expect(facts["error"] == nil, "\(facts)")
        for name in ["nodes", "scrolled"] {
            let count = facts[name] as? Int ?? .max
            #expect(count < 4000, "\(name): \(count)")
        }
        let wanted = [
            "gaps": "false", "focus": "files-view", "rowcount": "10001", "last": "10001 part-09999.bin",
            "lastBar": "part-09999.bin",
            "down": "descending part-09999.bin true", "up": "ascending part-00000.bin 0",
            "search": "10 of 10,000 files part-01230.bin", "failed": "10 of 10,000 files 10",
            "model": "1 of 10,000 files part-01999.bin", "none": "0 of 10,000 files 0", "trouble": "part-06999.bin",
        ]
        for (name, text) in wanted { #expect(facts[name] as? String == text, "\(name)") }
        #expect(facts["sorted"] as? Int == 1)
        #expect(facts["wide"] as? Bool == true)
    }

    @Test func allThatCanBeUsedHasANameAndThePhoneNeedsNoSidewaysScrolling() async throws {
        let visit = try await Browser.visit(
            try SampleReport.page(of: SampleReport.eventful),
            driver: """
                const name = (node) => node.getAttribute("aria-label") || node.labels?.[0]?.textContent || node.textContent;
                const nameless = [...document.querySelectorAll("button, input, select, [tabindex='0']")]
                  .filter((node) => !name(node).trim() && !node.getAttribute("aria-describedby"));
                const widths = {};
                for (const width of [375, 768, 1024, 1440]) {
                  const page = document.createElement("iframe");
                  page.width = width;
                  page.height = 800;
                  page.srcdoc = "<!doctype html>" + document.documentElement.outerHTML.replace(/<script>[^]*?<\\/script>/g, "");
                  document.body.append(page);
                  await new Promise((done) => page.addEventListener("load", done));
                  const root = page.contentDocument.documentElement;
                  widths[width] = root.scrollWidth - root.clientWidth;
                  page.remove();
                }
                const skip = document.querySelector(".skip");
                const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
                return { nameless: nameless.map((node) => node.outerHTML), widths,
                  skip: document.querySelector(skip.getAttribute("href")) !== null,
                  twice: ids.filter((id, index) => ids.indexOf(id) !== index),
                  dangling: [...document.querySelectorAll("[aria-labelledby], [aria-describedby]")].flatMap((node) =>
                    [node.getAttribute("aria-labelledby"), node.getAttribute("aria-describedby")].filter(Boolean)
                      .flatMap((list) => list.split(" "))).filter((id) => !document.getElementById(id)),
                  headings: [...document.querySelectorAll("h1, h2, h3")].map((node) => node.tagName[1]).join("") };
                """)
        let facts = try visit.facts()
        #expect(facts["nameless"] as? [String] == [], "\(facts)")
        #expect(facts["widths"] as? [String: Int] == ["375": 0, "768": 0, "1024": 0, "1440": 0])
        #expect(facts["skip"] as? Bool == true)
        #expect(facts["twice"] as? [String] == [])
        #expect(facts["dangling"] as? [String] == [])
        #expect((facts["headings"] as? String)?.hasPrefix("123") == true)
    }

    @Test func withScriptsOffTheFailuresAreThere() async throws {
        let page = Data(try SampleReport.page(of: SampleReport.eventful).utf8).base64EncodedString()
        let visit = try await Browser.visit(
            "<!doctype html><body></body>",
            driver: """
                const page = document.createElement("iframe");
                page.sandbox = "allow-same-origin";
                page.srcdoc = new TextDecoder().decode(Uint8Array.from(atob("\(page)"), (c) => c.charCodeAt(0)));
                document.body.append(page);
                await new Promise((done) => page.addEventListener("load", done));
                return { text: page.contentDocument.body.innerText };
                """)
        let text = try #require(try visit.facts()["text"] as? String)
        for part in ["1 of 3 files failed", "kind/one/b.bin", "With scripts off", "models.yaml"] {
            #expect(text.contains(part), "\(part)")
        }
        #expect(!text.contains("Throughput") && !text.contains("Timeline"))
    }

    @Test func onPaperTheFilesOfARunArePrintedUpToFiveHundred() async throws {
        let visit = try await Browser.visit(
            try SampleReport.page(of: SampleReport.large),
            driver: """
                const rows = () => document.querySelectorAll("#rows tr:not(.pad)").length;
                const before = rows();
                dispatchEvent(new Event("beforeprint"));
                const printed = rows();
                const more = document.querySelector("#rows tr:last-child").textContent;
                dispatchEvent(new Event("afterprint"));
                return { before, printed, more, after: rows() };
                """)
        let facts = try visit.facts()
        #expect(facts["printed"] as? Int == 500)
        #expect(facts["more"] as? String == "and 9,500 more")
        #expect(
            (facts["before"] as? Int ?? 500) < 100 && facts["before"] as? Int == facts["after"] as? Int, "\(facts)")
    }
}
