# Installs Sandyk from this folder for Windows, without a network and without an administrator.
#
#     powershell -ExecutionPolicy Bypass -File install.ps1 [FOLDER]
#
# FOLDER is where the program goes; without it %LOCALAPPDATA%\Programs\sandyk. Nothing else is written.
param([string]$Into = "$env:LOCALAPPDATA\Programs\sandyk")
$ErrorActionPreference = 'Stop'
Set-Location (Split-Path -Parent $MyInvocation.MyCommand.Path)

foreach ($line in Get-Content SHA256SUMS) {
    $sum, $name = $line -split '  ', 2
    if (-not (Test-Path -LiteralPath $name) -or (Get-FileHash -LiteralPath $name -Algorithm SHA256).Hash -ne $sum) {
        throw "$name is missing or not what it was when this folder was made; nothing was installed"
    }
}
Write-Output 'SHA-256 of SHA256SUMS, to compare with what its maker told you:'
Write-Output (Get-FileHash SHA256SUMS -Algorithm SHA256).Hash.ToLower()

$python = $null
foreach ($version in '3.13', '3.12', '3.11', '3.14') {
    & py "-$version" -I -c 'import venv' 2>$null
    if ($LASTEXITCODE -eq 0) { $python = "-$version"; break }
}
$system = "windows-$($env:PROCESSOR_ARCHITECTURE.ToLower())$python"
if (-not $python) { throw 'no Python from 3.11 to 3.14 is on this machine; nothing was installed' }
if (-not (Test-Path "systems\$system.txt")) { throw "this folder has nothing for $system; nothing was installed" }
if ((Test-Path $Into) -and -not (Test-Path "$Into\pyvenv.cfg")) {
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
Write-Output "installed: $Into\Scripts\sandyk.exe"
