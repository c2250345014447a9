# Installs Sandyk from this folder for Windows, without a network and without an administrator.
#
#     powershell -ExecutionPolicy Bypass -File install.ps1 [FOLDER]
#
# FOLDER is where the program goes; without it %LOCALAPPDATA%\Programs\sandyk. Nothing else is written.
param([string]$Into = "$env:LOCALAPPDATA\Programs\sandyk")
$ErrorActionPreference = 'Stop'
$Into = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Into)
Set-Location -LiteralPath $PSScriptRoot

foreach ($line in Get-Content -LiteralPath SHA256SUMS) {
    $sum, $name = $line -split '  ', 2
    if (-not (Test-Path -LiteralPath $name) -or (Get-FileHash -LiteralPath $name -Algorithm SHA256).Hash -ne $sum) {
        throw "$name is missing or not what it was when this folder was made; nothing was installed"
    }
}
Write-Output 'SHA-256 of SHA256SUMS, to compare with what its maker told you:'
Write-Output (Get-FileHash -LiteralPath SHA256SUMS -Algorithm SHA256).Hash.ToLower()

$none = 'no Python from 3.11 to 3.14 with its launcher (py) is on this machine; nothing was installed'
if (-not (Get-Command py -CommandType Application -ErrorAction SilentlyContinue)) { throw $none }
# A launcher may fetch a Python that it does not find: not now.
$env:PYTHON_MANAGER_AUTOMATIC_INSTALL = 'false'
$env:PYLAUNCHER_ALLOW_INSTALL = $env:PYLAUNCHER_ALWAYS_INSTALL = $null
$python = $null
# With 'Stop' Windows PowerShell ends at the first complaint that a program writes to a redirected stream.
$ErrorActionPreference = 'Continue'
foreach ($version in '3.13', '3.12', '3.11', '3.14') {
    $platform = & py "-$version" -I -c 'import sysconfig, venv; print(sysconfig.get_platform())' 2>$null
    if ($LASTEXITCODE -eq 0) { $python = "-$version"; break }
}
$ErrorActionPreference = 'Stop'
if (-not $python) { throw $none }
$system = "windows-$($platform -replace '^win-')$python"
if (-not (Test-Path -LiteralPath "systems\$system.txt")) {
    throw "this folder has nothing for $system; nothing was installed"
}
if ((Test-Path -LiteralPath $Into) -and -not (Test-Path -LiteralPath "$Into\pyvenv.cfg")) {
    throw "$Into is there already and is not this program; nothing was installed"
}

& py $python -I -m venv --clear --without-pip $Into
if ($LASTEXITCODE -ne 0) { throw 'the folder for the program could not be made' }
$own = "$Into\Scripts\python.exe"
$pip = (Get-Item wheels\pip-*.whl).FullName + '\pip'
$always = @('--disable-pip-version-check', '--quiet', 'install', '--no-index', '--no-cache-dir')
& $own -I $pip @always --no-deps --find-links wheels --require-hashes --requirement "systems\$system.txt"
if ($LASTEXITCODE -ne 0) { throw 'the libraries could not be installed: run this again' }
& $own -I $pip @always --no-deps (Get-Item wheels\sandyk-*.whl).FullName
if ($LASTEXITCODE -ne 0) { throw 'the program could not be installed' }
& "$Into\Scripts\sandyk.exe" --version
if ($LASTEXITCODE -ne 0) { throw 'the program was installed and does not start' }
Write-Output "installed: $Into\Scripts\sandyk.exe"
