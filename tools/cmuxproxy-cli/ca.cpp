// ca: the local certificate authority, for those that have to trust it. Needs no instance; makes the CA where there is none yet.
#include <fmt/format.h>

#include <cstdlib>

#include "app/settings.hpp"
#include "ca.hpp"
#include "run_trust.hpp"

namespace cmux::cli {

std::unique_ptr<tls::Authority> open_authority() {
  const auto directory = app::state_directory([](const char* name) -> const char* { return std::getenv(name); });
  if (!directory) throw Exit{kFailed, directory.error().detail};
  auto authority = tls::Authority::open(*directory);
  if (!authority) throw Exit{kFailed, authority.error().detail};
  return std::move(*authority);
}

namespace {

std::string path_of(const tls::Authority& authority) { return authority.certificate_path(); }
std::string pem_of(const tls::Authority& authority) { return authority.certificate_pem(); }
std::string spki_of(const tls::Authority& authority) { return authority.spki_fingerprint(); }

std::string bundle_of(const tls::Authority& authority) { return trust_bundle(authority.certificate_pem()); }

// For a POSIX shell, where the path is not plain.
std::string in_shell(const std::string& path) {
  if (path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@") == std::string::npos)
    return path;
  std::string out = "'";
  for (const char c : path) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string hint_of(const tls::Authority& authority) {
  return fmt::format(
      R"(The local CA signs for localhost and loopback addresses alone. Trust it where a client is to open https://localhost.

For one command
  curl         curl --cacert {0} …
  Node.js      export NODE_EXTRA_CA_CERTS={0}
  Python       export REQUESTS_CA_BUNDLE={0}    (for requests; it trusts nothing else then)
  Chromium     chromium --user-data-dir=DIR --ignore-certificate-errors-spki-list={1}
               (nothing to install; without --user-data-dir, Chromium ignores the flag)

For this user
  Chromium, Chrome on Linux (certutil is in libnss3-tools or nss-tools)
    mkdir -p "$HOME/.pki/nssdb"
    certutil -d sql:"$HOME/.pki/nssdb" -A -t C,, -n cmuxproxy -i {0}
    remove:  certutil -d sql:"$HOME/.pki/nssdb" -D -n cmuxproxy
  Firefox
    Settings, Privacy & Security, View Certificates, Authorities, Import: {0}
    (or certutil as above, with the profile's folder in place of "$HOME/.pki/nssdb")
    remove:  the same place, Delete or Distrust
  macOS
    security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db {0}
    remove:  security remove-trusted-cert {0}

For the machine
  Debian, Ubuntu
    sudo cp {0} /usr/local/share/ca-certificates/cmuxproxy.crt && sudo update-ca-certificates
    remove:  sudo rm /usr/local/share/ca-certificates/cmuxproxy.crt && sudo update-ca-certificates --fresh
  Fedora, RHEL
    sudo cp {0} /etc/pki/ca-trust/source/anchors/cmuxproxy.crt && sudo update-ca-trust
    remove:  sudo rm /etc/pki/ca-trust/source/anchors/cmuxproxy.crt && sudo update-ca-trust
  macOS
    sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {0}
    remove:  sudo security remove-trusted-cert -d {0}

Its key never leaves this machine: install ca.crt, and copy ca.key nowhere.
)",
      in_shell(authority.certificate_path()), authority.spki_fingerprint());
}

struct Part {
  const char* name;
  const char* key;  // in JSON
  const char* description;
  const char* example;
  std::string (*text)(const tls::Authority& authority);
};

constexpr Part kParts[] = {
    {"path", "path", "the file that holds its certificate", "curl --cacert \"$(cmuxproxy ca path)\" https://localhost:8443/",
     path_of},
    {"pem", "pem", "its certificate", "cmuxproxy ca pem | openssl x509 -noout -text", pem_of},
    {"spki", "spki", "the fingerprint of its public key, as Chromium takes it",
     "chromium --user-data-dir=DIR --ignore-certificate-errors-spki-list=\"$(cmuxproxy ca spki)\"", spki_of},
    {"bundle", "bundle", "the system's roots and its certificate, for programs that take one file in place of their own roots",
     "cmuxproxy ca bundle > roots.pem && SSL_CERT_FILE=roots.pem wget https://localhost:8443/", bundle_of},
    {"install-hint", "hint", "how to make clients trust it, and how to undo that", "cmuxproxy ca install-hint | less", hint_of},
};

int print_part(const Part& part, bool as_json) {
  std::string text = part.text(*open_authority());
  if (as_json) {
    json::object document;
    document[part.key] = text;
    print_json(document);
    return kOk;
  }
  print(text.ends_with('\n') ? text : text + "\n");
  return kOk;
}

}  // namespace

void add_ca(CLI::App& app, Action& chosen) {
  CLI::App* const group = app.add_subcommand("ca", "the local CA: its certificate, and how to trust it");
  group->require_subcommand(1);
  group->footer("Examples:\n  cmuxproxy ca install\n  cmuxproxy ca install-hint");
  add_ca_install(*group, chosen);
  for (const Part& part : kParts) {
    auto as_json = std::make_shared<bool>(false);
    CLI::App* const command = group->add_subcommand(part.name, part.description);
    command->add_flag("--json", *as_json, "print JSON");
    command->footer(fmt::format("Examples:\n  {}\n  cmuxproxy ca {} --json", part.example, part.name));
    command->callback([as_json, &part, &chosen] { chosen = [as_json, &part] { return print_part(part, *as_json); }; });
  }
}

}  // namespace cmux::cli
