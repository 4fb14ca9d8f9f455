import Foundation

/// The cores that the thread of this process with that name may use, as proc_pid_status(5) has them; none where there is no such
/// thread.
public func coresAllowed(toThread name: String) -> Set<Int> {
    let tasks = "/proc/self/task"
    for id in (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? [] {
        let lines = ((try? String(contentsOfFile: "\(tasks)/\(id)/status", encoding: .utf8)) ?? "").split(
            separator: "\n")
        guard lines.first == "Name:\t\(name)", let list = lines.first(where: { $0.hasPrefix("Cpus_allowed_list:") })
        else {
            continue
        }
        let ranges = list.split(separator: "\t").last?.split(separator: ",") ?? []
        return Set(
            ranges.flatMap { range in
                let ends = range.split(separator: "-").compactMap { Int($0) }
                return Array(ends[0]...ends[ends.count - 1])
            })
    }
    return []
}
