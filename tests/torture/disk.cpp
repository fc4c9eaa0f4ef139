// Loaded before the C library (LD_PRELOAD): writes down what a program does to the files of one folder, and makes
// operations fail.
//
//   BD_DISK_ROOT   the folder, an absolute path without links
//   BD_DISK_LOG    where the record goes, outside of that folder; see disk.rs for its lines
//   BD_DISK_FAIL   "FROM TO ERRNO SHORT": the changes number FROM to TO, counted from 0, fail with this error. With SHORT
//                  1 a write that is to fail writes half of its bytes first, as it does on a disk that gets full.
//
// Calls that go to the kernel past the C library are not seen; Rust's standard library makes none of the ones below so.

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <string>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

template <typename F> F next(const char *name) { return reinterpret_cast<F>(dlsym(RTLD_NEXT, name)); }

std::recursive_mutex guard;
using Lock = std::lock_guard<std::recursive_mutex>;

struct Disk {
    std::string root;
    int log = -1;
    long from = -1, to = -1;
    int error = 0;
    bool is_short = false;
    long changes = 0;
    std::map<int, bool> open; // by descriptor: whether it appends

    Disk() {
        if (const char *path = getenv("BD_DISK_ROOT")) root = path;
        if (const char *plan = getenv("BD_DISK_FAIL")) {
            int half = 0;
            sscanf(plan, "%ld %ld %d %d", &from, &to, &error, &half);
            is_short = half != 0;
        }
        const char *path = getenv("BD_DISK_LOG");
        using Open = int (*)(const char *, int, ...);
        if (path && !root.empty()) log = next<Open>("open64")(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }

    bool holds(const std::string &path) const {
        return !root.empty() && path.compare(0, root.size(), root) == 0 &&
               (path.size() == root.size() || path[root.size()] == '/');
    }

    void put(const void *data, size_t size) const {
        using Write = ssize_t (*)(int, const void *, size_t);
        static auto write = next<Write>("write");
        if (log >= 0 && write(log, data, size) != static_cast<ssize_t>(size)) abort();
    }

    void line(const char *format, ...) const __attribute__((format(printf, 2, 3))) {
        char text[9000];
        va_list arguments;
        va_start(arguments, format);
        int size = vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        put(text, std::min<size_t>(size, sizeof text - 1));
    }

    // Whether the next change is one of those that fail.
    bool fails() {
        long number = changes++;
        return from >= 0 && number >= from && number <= to;
    }

    bool is_open(int fd) const { return open.count(fd) != 0; }
};

Disk &disk() {
    static Disk *one = new Disk; // never destroyed: the program writes until its very end
    return *one;
}

// The absolute path of `name` as seen from the open folder `at`.
std::string absolute(int at, const char *name) {
    if (!name || name[0] == '/') return name ? name : "";
    char base[4096];
    if (at == AT_FDCWD) return getcwd(base, sizeof base) ? std::string(base) + "/" + name : "";
    std::string link = "/proc/self/fd/" + std::to_string(at);
    ssize_t size = readlink(link.c_str(), base, sizeof base);
    return size < 0 ? "" : std::string(base, size) + "/" + name;
}

int fail() {
    errno = disk().error;
    return -1;
}

int opened(int at, const char *name, int flags, mode_t mode) {
    static auto real = next<int (*)(int, const char *, int, ...)>("openat64");
    Lock lock(guard);
    std::string path = absolute(at, name);
    if (!disk().holds(path)) return real(at, name, flags, mode);
    struct stat found;
    bool is_new = (flags & O_CREAT) && lstat(path.c_str(), &found) != 0;
    bool cuts = (flags & O_TRUNC) && !is_new;
    if ((is_new || cuts) && disk().fails()) return fail();
    int fd = real(at, name, flags, mode);
    if (fd >= 0) {
        disk().open[fd] = (flags & O_APPEND) != 0;
        disk().line("open\t%d\t%d\t%d\t%s\n", fd, is_new, cuts, path.c_str());
    }
    return fd;
}

// A change of names, which succeeds or not as a whole.
template <typename Call> int changed(const char *kind, const std::string &a, const std::string &b, Call call) {
    if (!disk().holds(a) && !disk().holds(b)) return call();
    if (disk().fails()) return fail();
    int result = call();
    if (result == 0) disk().line("%s\t%s\t%s\n", kind, a.c_str(), b.c_str());
    return result;
}

} // namespace

// O_TMPFILE has the bit of O_DIRECTORY, with which there is no mode.
bool wants_mode(int flags) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; }

extern "C" {

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = wants_mode(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = wants_mode(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened(AT_FDCWD, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = wants_mode(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened(at, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = wants_mode(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened(at, path, flags, mode);
}

int close(int fd) {
    static auto real = next<int (*)(int)>("close");
    Lock lock(guard);
    if (disk().open.erase(fd)) disk().line("close\t%d\n", fd);
    return real(fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    static auto real = next<ssize_t (*)(int, const void *, size_t)>("write");
    Lock lock(guard);
    if (!disk().is_open(fd)) return real(fd, data, size);
    bool fails = disk().fails();
    if (fails && !(disk().is_short && size > 1)) return fail();
    struct stat found;
    long at = disk().open[fd] && fstat(fd, &found) == 0 ? found.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t written = real(fd, data, fails ? size / 2 : size);
    if (written > 0) {
        disk().line("write\t%d\t%ld\t%zd\n", fd, at, written);
        disk().put(data, written);
    }
    return written;
}

// Nothing that is tested writes so; a program that begins to would be seen at once.
ssize_t writev(int fd, const struct iovec *parts, int count) {
    static auto real = next<ssize_t (*)(int, const struct iovec *, int)>("writev");
    {
        Lock lock(guard);
        if (disk().is_open(fd)) abort();
    }
    return real(fd, parts, count);
}

int ftruncate64(int fd, off64_t size) {
    static auto real = next<int (*)(int, off64_t)>("ftruncate64");
    Lock lock(guard);
    if (!disk().is_open(fd)) return real(fd, size);
    if (disk().fails()) return fail();
    int result = real(fd, size);
    if (result == 0) disk().line("cut\t%d\t%ld\n", fd, static_cast<long>(size));
    return result;
}

int fsync(int fd) {
    static auto real = next<int (*)(int)>("fsync");
    Lock lock(guard);
    if (!disk().is_open(fd)) return real(fd);
    if (disk().fails()) return fail();
    disk().line("sync\t%d\n", fd); // the disk is made up: waiting for the real one would prove nothing
    return 0;
}

int rename(const char *from, const char *to) {
    static auto real = next<int (*)(const char *, const char *)>("rename");
    Lock lock(guard);
    return changed("rename", absolute(AT_FDCWD, from), absolute(AT_FDCWD, to), [&] { return real(from, to); });
}

int linkat(int at, const char *from, int to_at, const char *to, int flags) {
    static auto real = next<int (*)(int, const char *, int, const char *, int)>("linkat");
    Lock lock(guard);
    auto call = [&] { return real(at, from, to_at, to, flags); };
    return changed("link", absolute(at, from), absolute(to_at, to), call);
}

int unlink(const char *path) {
    static auto real = next<int (*)(const char *)>("unlink");
    Lock lock(guard);
    return changed("remove", absolute(AT_FDCWD, path), "", [&] { return real(path); });
}

int unlinkat(int at, const char *path, int flags) {
    static auto real = next<int (*)(int, const char *, int)>("unlinkat");
    Lock lock(guard);
    return changed("remove", absolute(at, path), "", [&] { return real(at, path, flags); });
}

int rmdir(const char *path) {
    static auto real = next<int (*)(const char *)>("rmdir");
    Lock lock(guard);
    return changed("remove", absolute(AT_FDCWD, path), "", [&] { return real(path); });
}

int mkdir(const char *path, mode_t mode) {
    static auto real = next<int (*)(const char *, mode_t)>("mkdir");
    Lock lock(guard);
    return changed("folder", absolute(AT_FDCWD, path), "", [&] { return real(path, mode); });
}

} // extern "C"
